using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Cuts each piece of a text into smaller ones.</summary>
abstract class PreTokenizer
{
    public abstract void Cut(Words words);
}

/// <summary>What becomes of what a pattern matches.</summary>
enum SplitBehavior
{
    /// <summary>It is left out.</summary>
    Removed,

    /// <summary>Each match is a piece.</summary>
    Isolated,

    /// <summary>It belongs to the piece before.</summary>
    MergedWithPrevious,

    /// <summary>It belongs to the piece behind.</summary>
    MergedWithNext,

    /// <summary>Matches side by side are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts where a pattern matches.</summary>
/// <param name="pattern">The pattern.</param>
/// <param name="behavior">What becomes of matches.</param>
/// <param name="inverted">What is between matches counts as the match.</param>
sealed class SplitPieces(Matcher pattern, SplitBehavior behavior, bool inverted = false) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Cut(Words words)
    {
        var text = words.Text.Span;
        foreach (var (start, end) in words.Pieces)
        {
            words.Matches.Clear();
            pattern.FindAll(text[start..end], words.Matches);
            Add(words.Matches, start, end, words.NewPieces);
        }
        words.TakeNewPieces();
    }

    void Add(List<(int Start, int End)> matches, int start, int end, List<(int Start, int End)> result)
    {
        int first = result.Count, at = start;
        bool wasMatch = false, any = false;
        // Backwards, a match belongs to what is behind it where it would else belong to what is before it.
        foreach (var match in matches)
        {
            if (match.Start + start > at) Part(at, match.Start + start, inverted);
            at = match.End + start;
            Part(match.Start + start, at, !inverted);
        }
        if (at < end) Part(at, end, inverted);

        void Part(int from, int to, bool isMatch)
        {
            bool joins = any && result.Count > first && behavior switch
            {
                SplitBehavior.MergedWithPrevious => isMatch && !wasMatch,
                // A match waits for what is behind it; of two matches the first stays alone.
                SplitBehavior.MergedWithNext => !isMatch && wasMatch,
                SplitBehavior.Contiguous => isMatch == wasMatch,
                _ => false,
            };
            (wasMatch, any) = (isMatch, true);
            if (joins) result[^1] = (result[^1].Start, to);
            else if (!(isMatch && behavior == SplitBehavior.Removed)) result.Add((from, to));
        }
    }
}

/// <summary>Every some characters a piece.</summary>
sealed class FixedLength(int characters) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Cut(Words words)
    {
        var text = words.Text.Span;
        foreach (var (start, end) in words.Pieces)
        {
            int from = start, at = start;
            for (int count = 0; at < end;)
            {
                CharacterKinds.CharacterAt(text, at, out int length);
                at += length;
                if (++count % characters != 0 && at < end) continue;
                words.NewPieces.Add((from, at));
                from = at;
            }
        }
        words.TakeNewPieces();
    }
}

/// <summary>When a mark for a blank is written before a piece that does not begin with it.</summary>
enum PrependScheme
{
    Never,

    /// <summary>Before the first piece of all.</summary>
    First,
    Always,
}

/// <summary>Writes blanks as another character, so that they are parts of tokens, and cuts before them.</summary>
/// <param name="replacement">Usually U+2581.</param>
/// <param name="prepend">When one is written before a piece.</param>
/// <param name="cuts">False leaves pieces as they are.</param>
sealed class Metaspace(Rune replacement, PrependScheme prepend, bool cuts) : PreTokenizer
{
    readonly byte[] mark = Encoding.UTF8.GetBytes(replacement.ToString());

    /// <inheritdoc/>
    public override void Cut(Words words)
    {
        var text = words.Text.Span;
        var result = words.NewText;
        foreach (var (start, end) in words.Pieces)
        {
            var piece = text[start..end];
            int from = result.Length;
            bool wants = prepend == PrependScheme.Always || prepend == PrependScheme.First && words.IsStart && start == 0;
            if (wants && !piece.StartsWith(mark) && piece[0] != ' ') result.Add(mark);
            while (piece.IndexOf((byte)' ') is >= 0 and int blank)
            {
                result.Add(piece[..blank]);
                result.Add(mark);
                piece = piece[(blank + 1)..];
            }
            result.Add(piece);
            if (!cuts)
            {
                words.NewPieces.Add((from, result.Length));
                continue;
            }
            var made = result.Span;
            for (int at = from; at < made.Length;)
            {
                int next = at + 1 < made.Length ? made[(at + 1)..].IndexOf(mark) : -1;
                int to = next < 0 ? made.Length : at + 1 + next;
                words.NewPieces.Add((at, to));
                at = to;
            }
        }
        words.TakeNewText();
        words.TakeNewPieces();
    }
}

/// <summary>Writes a blank before each piece that has none.</summary>
sealed class PrefixBlank : PreTokenizer
{
    /// <inheritdoc/>
    public override void Cut(Words words)
    {
        foreach (var (start, end) in words.Pieces)
        {
            int from = words.NewText.Length;
            var piece = words.Text.Span[start..end];
            if (piece[0] != ' ') words.NewText.Add((byte)' ');
            words.NewText.Add(piece);
            words.NewPieces.Add((from, words.NewText.Length));
        }
        words.TakeNewText();
        words.TakeNewPieces();
    }
}

/// <summary>Changes each piece by a normalizer.</summary>
sealed class ChangePieces(Normalizer normalizer) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Cut(Words words)
    {
        foreach (var (start, end) in words.Pieces)
        {
            int from = words.NewText.Length;
            normalizer.Apply(words.Text.Span[start..end], words.NewText);
            if (words.NewText.Length > from) words.NewPieces.Add((from, words.NewText.Length));
        }
        words.TakeNewText();
        words.TakeNewPieces();
    }
}

/// <summary>Cuts before runs of a character, where the model never joins across: the same tokens, found word by word.</summary>
sealed class CutBefore(Rune character) : PreTokenizer
{
    readonly byte[] mark = Encoding.UTF8.GetBytes(character.ToString());

    /// <inheritdoc/>
    public override void Cut(Words words)
    {
        var text = words.Text.Span;
        foreach (var (start, end) in words.Pieces)
        {
            int from = start, at = start;
            while (true)
            {
                while (text[at..end].StartsWith(mark)) at += mark.Length;   // the run with which a piece begins
                int next = text[at..end].IndexOf(mark);
                int to = next < 0 ? end : at + next;
                if (to > from) words.NewPieces.Add((from, to));
                if (next < 0) break;
                from = at = to;
            }
        }
        words.TakeNewPieces();
    }
}
