using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>The elements of a buffer or tile while a program is interpreted, with what is known about who touched them.</summary>
sealed class Elements(Memory memory)
{
    bool[]? written;   // of tiles and fresh outputs: elements that hold something
    bool own;          // a tile made by the iteration that uses it: nobody else sees it

    // By iteration of the parallel loop that runs, 0 for none. Two readers are enough to know one other than the writer.
    int[]? writer, reader, otherReader;
    bool[]? atomic;   // the writer was atomic, so others may be too

    public Memory Memory => memory;

    public double[] Data { get; private set; } = [];

    public long[] Extents { get; private set; } = [];

    /// <summary>Takes a caller's array.</summary>
    public void Use(double[] data, long[] extents, bool isFresh)
    {
        (Data, Extents) = (data, extents);
        if (isFresh) written = new bool[data.Length];
    }

    /// <summary>The first element of an output that nobody has written; null where all are.</summary>
    public int? FirstUnwritten =>
        Memory is TileBuffer && written is not null && Array.IndexOf(written, false) is >= 0 and var at ? at : null;

    /// <summary>Makes new elements that hold nothing.</summary>
    public void Renew(long[] extents)
    {
        (Data, Extents) = (Value.Zeros(extents).Data, extents);
        written = new bool[Data.Length];
        own = true;
    }

    /// <summary>Forgets who touched what: a parallel loop begins.</summary>
    public void Forget()
    {
        (writer, reader, otherReader, atomic, own) = (null, null, null, null, false);
    }

    public bool IsWritten(long at) => written is null || written[at];

    /// <summary>Notes a read. Returns the iteration that it conflicts with, if any.</summary>
    public int? Reads(long at, int iteration)
    {
        if (iteration == 0 || own) return null;
        Track();
        if (writer![at] != 0 && writer[at] != iteration) return writer[at];
        if (reader![at] == 0) reader[at] = iteration;
        else if (reader[at] != iteration) otherReader![at] = iteration;
        return null;
    }

    /// <summary>Notes a write. Returns the iteration that it conflicts with and whether that one wrote, if any.</summary>
    public (int Iteration, bool Wrote)? Writes(long at, int iteration, bool isAtomic)
    {
        if (written is not null) written[at] = true;
        if (iteration == 0 || own) return null;
        Track();
        if (writer![at] != 0 && writer[at] != iteration && !(isAtomic && atomic![at])) return (writer[at], true);
        if (reader![at] != 0 && reader[at] != iteration) return (reader[at], false);
        if (otherReader![at] != 0 && otherReader[at] != iteration) return (otherReader[at], false);
        atomic![at] = isAtomic && (writer[at] == 0 || atomic[at]);
        writer[at] = iteration;
        return null;
    }

    void Track()
    {
        writer ??= new int[Data.Length];
        reader ??= new int[Data.Length];
        otherReader ??= new int[Data.Length];
        atomic ??= new bool[Data.Length];
    }
}

/// <summary>The parallel loops that run, and a number for each of their iterations.</summary>
sealed class Grid
{
    readonly List<(LoopVariable Variable, long Value)> loops = [];
    readonly List<string> names = [""];

    /// <summary>The iteration that runs, counted from 1; 0 outside parallel loops.</summary>
    public int Iteration { get; private set; }

    public void Enter(LoopVariable variable, IEnumerable<Elements> memories)
    {
        if (loops.Count == 0)
            foreach (var elements in memories) elements.Forget();
        loops.Add((variable, 0));
    }

    /// <summary>The innermost loop begins its iteration of this value.</summary>
    public void Begin(long value)
    {
        loops[^1] = (loops[^1].Variable, value);
        names.Add(string.Join(" ", loops.Select(loop => $"{loop.Variable.Name}={loop.Value}")));
        Iteration = names.Count - 1;
    }

    public void Leave()
    {
        loops.RemoveAt(loops.Count - 1);
        if (loops.Count == 0) Iteration = 0;
    }

    public string Name(int iteration) => names[iteration];
}
