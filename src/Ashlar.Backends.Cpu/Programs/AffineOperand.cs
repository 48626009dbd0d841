using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>An operand that lies in a buffer at offsets which are sums over its indices: windows of an image.</summary>
/// <param name="Buffer">Where it lies.</param>
/// <param name="Offset">Its first element.</param>
/// <param name="Free">Count and stride of each axis of its free index, outermost first.</param>
/// <param name="Inner">The same of its inner index.</param>
/// <param name="Batch">Elements from one matrix to the next along each batch axis.</param>
sealed record AffineOperand(TileBuffer Buffer, Extent Offset, (Extent Count, Extent Stride)[] Free,
    (Extent Count, Extent Stride)[] Inner, Extent[] Batch)
{
    /// <summary>The operand that an expression reads, in its compute type; null where it is more than such elements.</summary>
    public static AffineOperand? Of(Node value, DType type, ValueList<LoopVariable> batch, ValueList<LoopVariable> free,
        ValueList<LoopVariable> inner)
    {
        while (value is (Op.Cast, [var narrow]) && narrow.DType == type) value = narrow;
        if (value.Op != Op.Load || value.DType != type || value.Guard() is not null || value.Source() is not TileBuffer buffer)
            return null;
        var strides = buffer.Shape.Strides;
        var position = Affine.Of(0);
        IReadOnlyList<Node> indices = value.Indices();
        for (int i = 0; i < indices.Count; i++) position += Affine.Of(indices[i]) * strides[i];
        if (position.Terms.Any(term => term.Atom.Op != Op.Index)) return null;
        return new(buffer, position.Constant, Steps(free), Steps(inner),
            [.. batch.Select(variable => position.FactorOf(variable.Index()))]);

        (Extent, Extent)[] Steps(ValueList<LoopVariable> variables) =>
            [.. variables.Select(variable => (variable.Count, position.FactorOf(variable.Index())))];
    }

    /// <summary>The operand for these values of symbols.</summary>
    public OffsetView Bind(Func<Symbol, long> symbols)
    {
        return new(Bound(Free), Bound(Inner), Buffer.Shape.Elements.Evaluate(symbols));

        AxisStep[] Bound((Extent Count, Extent Stride)[] axes) =>
            [.. axes.Select(axis => new AxisStep(axis.Count.Evaluate(symbols), axis.Stride.Evaluate(symbols)))];
    }
}
