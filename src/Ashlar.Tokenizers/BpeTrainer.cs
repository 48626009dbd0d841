using System.Runtime.InteropServices;
using System.Text.Unicode;

namespace Ashlar.Tokenizers;

/// <summary>Learns merges: again and again the pair of tokens that comes most often becomes a token.</summary>
/// <remarks>
/// How this works. Words are counted first, so that each different word is looked at once. Every pair knows how often it comes
/// and in which words. A queue gives the most frequent pair. Merging changes the counts of neighbours: a pair that grew enters
/// the queue again at once; one that shrank stays where it is, and goes back with its true count when it comes up. So the first
/// entry whose count is true is the greatest of all. Merging a pair touches only the words that hold it.
/// </remarks>
sealed class BpeTrainer
{
    readonly List<Word> words = [];
    readonly Dictionary<long, Pair> pairs = [];
    readonly PriorityQueue<long, (long, long)> queue = new();

    sealed class Word(int[] tokens, long count)
    {
        public int[] Tokens => tokens;
        public int Length { get; set; } = tokens.Length;
        public long Count => count;
    }

    sealed class Pair
    {
        public long Count;
        public long Queued;                  // the highest count with which it is in the queue
        public readonly List<int> Words = [];   // where it comes, or once came; a word may be listed twice
    }

    public static BpeTokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> pieces, int vocabularySize, IReadOnlyList<string> special, int leastCount)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        if (vocabularySize < 256 + special.Count)
            throw new TokenizerException("ASH0444",
                $"a vocabulary of {vocabularySize:N0} was asked for, "
                + $"but 256 bytes and {special.Count} special tokens need {256 + special.Count:N0}.",
                "ask for more tokens, or train with characters.");
        if (special.FirstOrDefault(text => text.Length == 0 || special.Count(other => other == text) > 1) is { } wrong)
            throw new TokenizerException("ASH0444",
                wrong.Length == 0 ? "a special token is empty." : $"the special token '{wrong}' is given twice.",
                "give every special token a text of its own.");
        var trainer = new BpeTrainer();
        trainer.CountWords(pieces);
        List<byte[]> bytes = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
        var merges = new List<Merge>();
        while (bytes.Count < vocabularySize - special.Count && trainer.Greatest(Math.Max(1, leastCount)) is var (left, right))
        {
            var merge = new Merge(left, right, bytes.Count);
            bytes.Add([.. bytes[left], .. bytes[right]]);
            merges.Add(merge);
            trainer.Apply(merge);
        }
        return new(bytes, merges, special.Select((text, i) => new AddedToken(text, bytes.Count + i)).ToArray());
    }

    void CountWords(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var counts = new Dictionary<byte[], long>(ByteSequences.Comparer);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (var piece in pieces)
        {
            if (!Utf8.IsValid(piece.Span))
                throw new TokenizerException("ASH0445",
                    "the text is not UTF-8.",
                    "read text files with TextFile, which names the place in the file.");
            for (int at = 0, end; at < piece.Length; at = end)
            {
                end = Gpt2Words.Instance.End(piece.Span, at);
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, piece.Span[at..end], out _)++;
            }
        }
        foreach (var (text, count) in counts)
        {
            if (text.Length == 1) continue;
            var word = new Word(Array.ConvertAll(text, value => (int)value), count);
            for (int i = 0; i + 1 < text.Length; i++) Change(word.Tokens[i], word.Tokens[i + 1], count, words.Count);
            words.Add(word);
        }
        foreach (var (key, pair) in pairs) Enqueue(key, pair);
    }

    /// <summary>
    /// The pair that comes most often, of equals the one with the smaller tokens; null where none comes often enough.
    /// </summary>
    (int Left, int Right)? Greatest(int leastCount)
    {
        while (queue.TryDequeue(out long key, out var priority))
        {
            // merged, or in the queue with a higher count
            if (!pairs.TryGetValue(key, out var pair) || pair.Queued != -priority.Item1) continue;
            if (pair.Count == pair.Queued) return pair.Count < leastCount ? null : ((int)(key >> 32), (int)key);
            pair.Queued = 0;
            if (pair.Count >= leastCount) Enqueue(key, pair);
        }
        return null;
    }

    void Apply(Merge merge)
    {
        long merged = Merge.Key(merge.Left, merge.Right);
        pairs.Remove(merged, out var pair);
        var touched = new HashSet<long>();
        foreach (int index in pair!.Words)
        {
            var word = words[index];
            int[] tokens = word.Tokens;
            int kept = 0;
            for (int i = 0; i < word.Length; i++)
            {
                if (i + 1 == word.Length || tokens[i] != merge.Left || tokens[i + 1] != merge.Right)
                {
                    tokens[kept++] = tokens[i];
                    continue;
                }
                if (kept > 0) Replace(tokens[kept - 1], merge.Left, tokens[kept - 1], merge.Result);
                if (i + 2 < word.Length) Replace(merge.Right, tokens[i + 2], merge.Result, tokens[i + 2]);
                tokens[kept++] = merge.Result;
                i++;
            }
            word.Length = kept;

            void Replace(int left, int right, int newLeft, int newRight)
            {
                if (Merge.Key(left, right) != merged) Change(left, right, -word.Count, index);
                Change(newLeft, newRight, word.Count, index);
                touched.Add(Merge.Key(newLeft, newRight));
            }
        }
        foreach (long key in touched)
            if (pairs.TryGetValue(key, out var grown) && grown.Count > grown.Queued) Enqueue(key, grown);
    }

    void Change(int left, int right, long by, int word)
    {
        ref var pair = ref CollectionsMarshal.GetValueRefOrAddDefault(pairs, Merge.Key(left, right), out _);
        pair ??= new();
        pair.Count += by;
        if (by > 0 && (pair.Words.Count == 0 || pair.Words[^1] != word)) pair.Words.Add(word);
    }

    void Enqueue(long key, Pair pair)
    {
        pair.Queued = pair.Count;
        queue.Enqueue(key, (-pair.Count, key));
    }
}
