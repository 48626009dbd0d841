namespace Ashlar.Tokenizers;

/// <summary>What one thread needs while it encodes; used again and again, so that encoding allocates nothing.</summary>
sealed class Scratch
{
    // symbols of a word (byte pairs)
    public int[] Symbols = new int[128], Next = [], Previous = [];
    public readonly ulong[] Pairs = new ulong[128];
    public readonly PriorityQueue<(int At, int Left, int Right, int Result), long> Queue = new();

    // best ways to a place (unigrams)
    public double[] Scores = [];
    public int[] From = [], Tokens = [];

    // text on its way through the pipeline
    public readonly ByteBuffer Text = new();
    public readonly Words Words = new();

    public void RoomForSymbols(int count)
    {
        if (Symbols.Length < count) Symbols = new int[Math.Max(count, Symbols.Length * 2)];
    }

    /// <summary>Gives up what a very long text made large.</summary>
    public void Trim()
    {
        const int kept = 1 << 20;
        if (Symbols.Length > kept) (Symbols, Next, Previous) = (new int[128], [], []);
        if (Scores.Length > kept) (Scores, From, Tokens) = ([], [], []);
        if (Queue.Count == 0) Queue.TrimExcess();
    }
}
