using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A matrix, or batch of them, that lies in a buffer at fixed strides.</summary>
/// <param name="Buffer">Where it lies.</param>
/// <param name="Offset">Its first element.</param>
/// <param name="RowStride">Elements from one row to the next.</param>
/// <param name="ColumnStride">Elements from one column to the next.</param>
/// <param name="Batch">Elements from one matrix to the next along each batch axis.</param>
sealed record StridedOperand(TileBuffer Buffer, Extent Offset, Extent RowStride, Extent ColumnStride, Extent[] Batch)
{
    /// <summary>The operand that an expression reads; null when it is more than a strided array, or its axes do not merge into a
    /// matrix.</summary>
    public static StridedOperand? Of(Node value, ValueList<LoopVariable> batch, ValueList<LoopVariable> rows,
        ValueList<LoopVariable> columns)
    {
        // The engine widens while it packs.
        if (value is (Op.Cast, [{ Op: Op.Load } load]) && load.DType.Compute == value.DType) value = load;
        if (value.Op != Op.Load || value.Guard() is not null || value.Source() is not TileBuffer buffer) return null;
        return Of(buffer, value.Indices(), batch, rows, columns);
    }

    /// <summary>The same for an engine that multiplies elements of <paramref name="type"/>, and that rounds float32 to bfloat16
    /// itself.</summary>
    public static StridedOperand? Of(Node value, DType type, ValueList<LoopVariable> batch, ValueList<LoopVariable> rows,
        ValueList<LoopVariable> columns)
    {
        // Rounding twice to the same type is rounding once, and widening changes no value.
        while (value is (Op.Cast, [var input]) && (input.DType == type || input.DType == DType.Float32 && type == DType.BFloat16))
            value = input;
        if (value.Op != Op.Load || value.DType != type && !(value.DType == DType.Float32 && type == DType.BFloat16)) return null;
        return value.Guard() is null && value.Source() is TileBuffer buffer
            ? Of(buffer, value.Indices(), batch, rows, columns)
            : null;
    }

    /// <summary>The matrix at these indices of a buffer.</summary>
    public static StridedOperand? Of(TileBuffer buffer, IReadOnlyList<Node> indices, ValueList<LoopVariable> batch,
        ValueList<LoopVariable> rows, ValueList<LoopVariable> columns)
    {
        var strides = buffer.Shape.Strides;
        var position = Affine.Of(0);
        for (int i = 0; i < indices.Count; i++) position += Affine.Of(indices[i]) * strides[i];
        if (position.Terms.Any(term => term.Atom.Op != Op.Index)) return null;
        if (Merged(position, rows) is not { } row || Merged(position, columns) is not { } column) return null;
        return new(buffer, position.Constant, row, column, [.. batch.Select(variable => position.FactorOf(variable.Index()))]);
    }

    // Several variables count like one when each steps by the product of the counts inside it.
    static Extent? Merged(Affine position, ValueList<LoopVariable> variables)
    {
        if (variables.Count == 0) return 0;
        Extent stride = position.FactorOf(variables[^1].Index()), step = stride;
        for (int i = variables.Count - 1; i >= 0; i--)
        {
            if (variables[i].Count == 1) continue;
            if (position.FactorOf(variables[i].Index()) != step) return null;
            step *= variables[i].Count;
        }
        return stride;
    }
}
