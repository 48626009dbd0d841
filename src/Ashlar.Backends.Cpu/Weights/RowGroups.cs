namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Rows that are multiplied by one matrix: consecutive ones of the sorted order.</summary>
/// <param name="Matrix">Which matrix.</param>
/// <param name="First">Place of the first row in the order.</param>
/// <param name="Count">How many rows, at least 1.</param>
readonly record struct RowGroup(int Matrix, int First, int Count);

/// <summary>Which row goes with which matrix: rows in the order of their experts, so that each expert's weights are read
/// once.</summary>
unsafe struct RowGroups
{
    int* order;
    RowGroup* groups;

    /// <summary>How many matrices have rows.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of memory for so many rows and matrices.</summary>
    public static long BytesFor(long rows, long matrices) =>
        (rows + matrices + 1) * sizeof(int) + Math.Min(rows, matrices) * sizeof(RowGroup) + 64;

    /// <summary>The group at a place.</summary>
    public readonly RowGroup this[int index] => groups[index];

    /// <summary>The row at a place of the order.</summary>
    public readonly int Row(int place) => order[place];

    /// <summary>Sorts rows by their experts; stable.</summary>
    /// <param name="experts">One per row; null puts all rows with matrix 0.</param>
    /// <exception cref="KernelException">An expert does not exist (ASH0646).</exception>
    public static RowGroups Of(int* experts, int rows, int matrices, byte* memory)
    {
        var result = new RowGroups
        {
            groups = (RowGroup*)memory,
            order = (int*)(memory + Math.Min(rows, matrices) * sizeof(RowGroup)),
        };
        if (experts == null)
        {
            for (int i = 0; i < rows; i++) result.order[i] = i;
            if (rows > 0) result.groups[result.Count++] = new(0, 0, rows);
            return result;
        }
        int* ends = result.order + rows;
        new Span<int>(ends, matrices + 1).Clear();
        for (int i = 0; i < rows; i++)
        {
            if ((uint)experts[i] >= (uint)matrices) Throw(experts[i], i, matrices);
            ends[experts[i] + 1]++;
        }
        for (int matrix = 0; matrix < matrices; matrix++)
        {
            int first = ends[matrix], count = ends[matrix + 1];
            if (count > 0) result.groups[result.Count++] = new(matrix, first, count);
            ends[matrix + 1] = first + count;
        }
        for (int i = 0; i < rows; i++) result.order[ends[experts[i]]++] = i;
        return result;
    }

    /// <summary>Sorts the groups: those with the most rows first.</summary>
    public readonly void SortBySize() =>
        new Span<RowGroup>(groups, Count).Sort(static (a, b) =>
            a.Count != b.Count ? b.Count.CompareTo(a.Count) : a.Matrix.CompareTo(b.Matrix));

    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    static void Throw(int expert, int row, int matrices) => throw new KernelException("ASH0646",
        $"ProjectExperts met the expert {expert} at row {row}, but the weight has {matrices} to choose from.",
        "check the indices; they count from 0.");
}
