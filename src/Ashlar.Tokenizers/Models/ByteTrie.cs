namespace Ashlar.Tokenizers;

/// <summary>A tree of byte sequences, walked byte by byte.</summary>
sealed class ByteTrie
{
    readonly PairTable children = new(1024);
    readonly int[] first = new int[256];   // the children of the root
    readonly List<int> values = [-1];      // by node; -1 where no sequence ends

    /// <summary>Adds a sequence; one that is there already keeps its value.</summary>
    public void Add(ReadOnlySpan<byte> bytes, int value)
    {
        int node = 0;
        foreach (byte step in bytes)
        {
            if (!TryStep(node, step, out int next))
            {
                next = values.Count;
                values.Add(-1);
                if (node == 0) first[step] = next;
                else children.TryAdd(node, step, 0, next);
            }
            node = next;
        }
        if (values[node] < 0) values[node] = value;
    }

    /// <summary>Goes from a node (the root is 0) along a byte.</summary>
    public bool TryStep(int node, byte step, out int next)
    {
        if (node != 0) return children.TryFind(node, step, out _, out next);
        next = first[step];
        return next != 0;
    }

    /// <summary>What ends at a node.</summary>
    public bool TryValue(int node, out int value) => (value = values[node]) >= 0;

    /// <summary>The longest sequence with which a text begins.</summary>
    public bool TryLongest(ReadOnlySpan<byte> text, out int length, out int value)
    {
        (length, value) = (0, 0);
        int node = 0;
        bool found = false;
        for (int i = 0; i < text.Length && TryStep(node, text[i], out node); i++)
        {
            if (!TryValue(node, out int here)) continue;
            (length, value, found) = (i + 1, here, true);
        }
        return found;
    }
}
