namespace Ashlar.Tokenizers;

/// <summary>A text and the pieces that it is cut into; used again and again.</summary>
sealed class Words
{
    /// <summary>The text.</summary>
    public ByteBuffer Text { get; private set; } = new();

    /// <summary>Where each piece begins and ends, in order.</summary>
    public List<(int Start, int End)> Pieces { get; private set; } = [];

    /// <summary>An empty text that takes the place of the text by <see cref="TakeNewText"/>.</summary>
    public ByteBuffer NewText { get; private set; } = new();

    /// <summary>No pieces, which take the place of the pieces by <see cref="TakeNewPieces"/>.</summary>
    public List<(int Start, int End)> NewPieces { get; private set; } = [];

    /// <summary>Matches of a pattern.</summary>
    public List<(int Start, int End)> Matches { get; } = [];

    /// <summary>True where the text is the start of all that is encoded.</summary>
    public bool IsStart { get; private set; }

    /// <summary>Begins anew, with one piece.</summary>
    public void Set(ReadOnlySpan<byte> text, bool isStart)
    {
        Text.Clear();
        Pieces.Clear();
        Text.Add(text);
        IsStart = isStart;
        Pieces.Add((0, text.Length));
    }

    public void TakeNewPieces()
    {
        (Pieces, NewPieces) = (NewPieces, Pieces);
        NewPieces.Clear();
    }

    public void TakeNewText()
    {
        (Text, NewText) = (NewText, Text);
        NewText.Clear();
    }
}
