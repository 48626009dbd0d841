using System.Numerics;

namespace Ashlar.Tokenizers;

/// <summary>Pairs of numbers to what they become and how early: one open-addressed table, one cache line per look-up.</summary>
sealed class PairTable
{
    struct Entry
    {
        public ulong Key;   // one more than the pair, so that 0 says that the place is free
        public int Rank;
        public int Result;
    }

    Entry[] entries;
    int shift;

    public PairTable(int capacity = 16)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2L > 1 << 30 ? 1 << 30 : capacity * 2));
        entries = new Entry[size];
        shift = 64 - BitOperations.Log2((uint)size);
    }

    public int Count { get; private set; }

    static ulong Key(int left, int right) => ((ulong)(uint)left << 32 | (uint)right) + 1;

    /// <returns>False where the pair was there already; then the table is unchanged.</returns>
    public bool TryAdd(int left, int right, int rank, int result)
    {
        if (Count * 2 >= entries.Length) Grow();
        ulong key = Key(left, right);
        int mask = entries.Length - 1;
        for (int at = (int)(key * 0x9E3779B97F4A7C15 >> shift); ; at = (at + 1) & mask)
        {
            if (entries[at].Key == key) return false;
            if (entries[at].Key != 0) continue;
            entries[at] = new() { Key = key, Rank = rank, Result = result };
            Count++;
            return true;
        }
    }

    public bool TryFind(int left, int right, out int rank, out int result)
    {
        ulong key = Key(left, right);
        var table = entries;
        for (int at = (int)(key * 0x9E3779B97F4A7C15 >> shift); ; at = (at + 1) & (table.Length - 1))
        {
            ref var entry = ref table[at];
            if (entry.Key == key)
            {
                (rank, result) = (entry.Rank, entry.Result);
                return true;
            }
            if (entry.Key != 0) continue;
            (rank, result) = (0, 0);
            return false;
        }
    }

    /// <summary>What pairs become, in no order.</summary>
    public IEnumerable<int> Results() => entries.Where(entry => entry.Key != 0).Select(entry => entry.Result);

    void Grow()
    {
        var old = entries;
        entries = new Entry[old.Length * 2];
        shift--;
        int mask = entries.Length - 1;
        foreach (var entry in old)
        {
            if (entry.Key == 0) continue;
            int at = (int)(entry.Key * 0x9E3779B97F4A7C15 >> shift);
            while (entries[at].Key != 0) at = (at + 1) & mask;
            entries[at] = entry;
        }
    }
}
