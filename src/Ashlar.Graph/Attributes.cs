namespace Ashlar.Graph;

/// <summary>What a node is told besides its inputs. Equal by value, so that equal nodes are one node.</summary>
public abstract record Attributes
{
    /// <summary>Every extent that is held here, of nested functions too.</summary>
    public virtual IEnumerable<Extent> Extents => [];

    /// <summary>The same with other extents in place of the symbols.</summary>
    public virtual Attributes Substitute(Func<Symbol, Extent> values) => this;
}

/// <summary>An argument: its place in the argument list and a name for the text form.</summary>
public sealed record ParameterAttributes(int Index, DType DType, Shape Shape, string? Name = null) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Shape;

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Shape = Shape.Substitute(values) };
}

/// <summary>Data in memory. <paramref name="Identity"/> is the runtime's buffer, compared by reference.</summary>
public sealed record BufferAttributes(object Identity, DType DType, Shape Shape) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Shape;

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Shape = Shape.Substitute(values) };

    /// <inheritdoc/>
    public bool Equals(BufferAttributes? other) =>
        other is not null && ReferenceEquals(Identity, other.Identity) && DType == other.DType && Shape == other.Shape;

    /// <inheritdoc/>
    public override int GetHashCode() =>
        HashCode.Combine(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(Identity), DType);
}

/// <summary>One number for every element: the bits of a double for float types, the integer itself for the others.</summary>
public sealed record ConstantAttributes(long Bits, DType DType, Shape Shape) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Shape;

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Shape = Shape.Substitute(values) };

    /// <summary>The number; integers beyond 2^53 lose their last bits here, <see cref="Integer"/> does not.</summary>
    public double Value => DType.IsFloat ? BitConverter.Int64BitsToDouble(Bits) : Bits;

    /// <summary>The number of an integer or bool constant; a float one truncated.</summary>
    public long Integer => DType.IsFloat ? (long)Value : Bits;
}

/// <summary>The extent whose value the node is.</summary>
public sealed record SizeAttributes(Extent Extent) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => [Extent];

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => new SizeAttributes(Extent.Substitute(values));
}

/// <summary>The axis whose index each element holds.</summary>
public sealed record IotaAttributes(int Axis, DType DType, Shape Shape) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Shape;

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Shape = Shape.Substitute(values) };
}

/// <summary>The element type that Cast or BitCast makes.</summary>
public sealed record CastAttributes(DType DType) : Attributes;

/// <summary>The shape that Reshape or Broadcast makes.</summary>
public sealed record ShapeAttributes(Shape Shape) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Shape;

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Shape = Shape.Substitute(values) };
}

/// <summary>Axis i of the result is axis <c>Order[i]</c> of the input.</summary>
public sealed record PermuteAttributes(ValueList<int> Order) : Attributes;

/// <summary>Element i of an axis is element <c>Start + i * Step</c> of the input; the result has <c>Counts</c> of them. Steps are
/// positive.</summary>
public sealed record SliceAttributes(ValueList<Extent> Starts, ValueList<Extent> Counts, ValueList<long> Steps) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Starts.Concat(Counts);

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) =>
        new SliceAttributes(Starts.Substitute(values), Counts.Substitute(values), Steps);
}

/// <summary>How many elements go before and after each axis; the second input, a scalar node, fills them.</summary>
public sealed record PadAttributes(ValueList<Extent> Before, ValueList<Extent> After) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Before.Concat(After);

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) =>
        new PadAttributes(Before.Substitute(values), After.Substitute(values));
}

/// <summary>The axes that vanish (reductions) or turn round (Flip), ascending.</summary>
public sealed record AxesAttributes(ValueList<int> Axes) : Attributes;

/// <summary>One axis: of Concat, Gather, ArgMax, Softmax, ...</summary>
public sealed record AxisAttributes(int Axis) : Attributes;

/// <summary>Window: <paramref name="Axis"/> of length n becomes (positions, Size). Fold: the two axes become one of
/// <paramref name="Length"/>.</summary>
/// <param name="Axis">The axis in the input of Window; the first of the two in the input of Fold.</param>
/// <param name="Size">Elements in a window.</param>
/// <param name="Stride">Elements from one window to the next.</param>
/// <param name="Dilation">Elements from one member of a window to the next.</param>
/// <param name="Length">The length of the axis outside the windows.</param>
public sealed record WindowAttributes(int Axis, long Size, long Stride, long Dilation, Extent Length) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => [Length];

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Length = Length.Substitute(values) };

    /// <summary>How many windows fit: <c>(Length - Dilation * (Size - 1) - 1) / Stride + 1</c>.</summary>
    public Extent Positions
    {
        get
        {
            Extent span = Length - (Dilation * (Size - 1) + 1);
            if (Stride == 1) return span + 1;
            if (span.TryGetValue(out long number)) return number / Stride + 1;
            // floor((span) / stride) + 1 where span = stride * q + r with a constant 0 <= r < stride
            for (long rest = 0; rest < Stride; rest++)
                if ((span - rest).TryDivide(Stride, out var quotient)) return quotient + 1;
            throw new ShapeException("ASH0112",
                $"the windows of an axis of length {Length} with stride {Stride} are not a polynomial in its symbols.",
                $"declare the symbol with multipleOf: {Stride}, or give the axis a fixed extent.");
        }
    }
}

/// <summary>The axis that CumSum and its kin run along, and whether from the end.</summary>
public sealed record ScanAttributes(int Axis, bool Reverse) : Attributes;

/// <summary>The axis that ArgSort sorts, and whether the greatest comes first. Stable; NaN counts as greatest.</summary>
public sealed record SortAttributes(int Axis, bool Descending) : Attributes;

/// <summary>What Scatter does where an index points.</summary>
public enum ScatterMode
{
    /// <summary>The update replaces; of several, the last.</summary>
    Set,
    /// <summary>The updates are added.</summary>
    Add,
    /// <summary>The greatest of the old value and the updates stays.</summary>
    Max,
}

/// <summary>The axis that Scatter's indices point along, and what it does there.</summary>
public sealed record ScatterAttributes(int Axis, ScatterMode Mode) : Attributes;

/// <summary>Which axes of the two inputs pair up. The result's axes: batch, free axes of the left, free axes of the
/// right.</summary>
/// <param name="BatchLeft">Axes of the left input that pair with <paramref name="BatchRight"/> and stay.</param>
/// <param name="BatchRight">Axes of the right input, one for each of <paramref name="BatchLeft"/>.</param>
/// <param name="SumLeft">Axes of the left input that pair with <paramref name="SumRight"/> and are summed away.</param>
/// <param name="SumRight">Axes of the right input, one for each of <paramref name="SumLeft"/>.</param>
/// <param name="DType">The result's element type. Sums are kept in float32 for 16-bit floats, int32 for small integers.</param>
public sealed record ContractAttributes(
    ValueList<int> BatchLeft, ValueList<int> BatchRight, ValueList<int> SumLeft, ValueList<int> SumRight,
    DType DType) : Attributes
{
    /// <summary>The axes of the left input that are neither batch nor summed, ascending.</summary>
    public int[] FreeLeft(int rank) =>
        [.. Enumerable.Range(0, rank).Where(axis => !BatchLeft.Contains(axis) && !SumLeft.Contains(axis))];

    /// <summary>The axes of the right input that are neither batch nor summed, ascending.</summary>
    public int[] FreeRight(int rank) =>
        [.. Enumerable.Range(0, rank).Where(axis => !BatchRight.Contains(axis) && !SumRight.Contains(axis))];
}

/// <summary>A function with a gradient of its own.</summary>
/// <param name="Forward">From the inputs to one result.</param>
/// <param name="Backward">From (gradient of the result, result, inputs...) to one gradient per input; null: differentiate
/// <paramref name="Forward"/>.</param>
/// <param name="Name">For text forms.</param>
public sealed record CustomAttributes(Function Forward, Function? Backward, string Name) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Forward.Extents.Concat(Backward?.Extents ?? []);

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) =>
        this with { Forward = Forward.Substitute(values), Backward = Backward?.Substitute(values) };
}

/// <summary>One result of a kernel that people wrote.</summary>
/// <param name="Kernel">The kernel; equal text is an equal kernel.</param>
/// <param name="Output">Which of its results.</param>
public sealed record KernelAttributes(GraphKernel Kernel, int Output) : Attributes
{
    /// <inheritdoc/>
    public override IEnumerable<Extent> Extents => Kernel.Inputs.Concat(Kernel.Outputs).SelectMany(type => type.Shape);

    /// <inheritdoc/>
    public override Attributes Substitute(Func<Symbol, Extent> values) => this with { Kernel = Kernel.Substitute(values) };

    /// <inheritdoc/>
    public bool Equals(KernelAttributes? other) =>
        other is not null && Output == other.Output && Kernel.Text == other.Kernel.Text;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kernel.Text, Output);
}

/// <summary>A packed weight: matrices of one size, one after another.</summary>
/// <param name="Encoding">How numbers are stored.</param>
/// <param name="Rows">Outputs (N) of each matrix.</param>
/// <param name="Columns">Inputs (K) of each matrix.</param>
/// <param name="Count">How many matrices; more than 1 for experts.</param>
public sealed record WeightAttributes(WeightEncoding Encoding, long Rows, long Columns, long Count = 1) : Attributes
{
    /// <summary>What becomes of a product: null leaves it; else each 32 of its columns are 16 of a gate and 16 that pass it, and
    /// 16 remain.</summary>
    public WeightGate? Gate { get; init; }

    /// <summary>Columns of a product with a matrix.</summary>
    public long Outputs => Gate is null ? Rows : Rows / 2;

    /// <summary>Where the numbers of one matrix lie.</summary>
    public WeightLayout Layout => new(Encoding, Rows, Columns);

    /// <summary>Bytes of all matrices.</summary>
    public long Bytes => Layout.Bytes * Count;
}

/// <summary>Gelu: by the tanh approximation, or exact through erf.</summary>
public sealed record GeluAttributes(bool Approximate) : Attributes;

/// <summary>The epsilon of a normalisation over the last axis.</summary>
public sealed record NormAttributes(double Epsilon) : Attributes;

/// <summary>Rotary embedding: pairs are neighbours (interleaved) or the two halves of the last axis.</summary>
public sealed record RopeAttributes(bool Interleaved) : Attributes;

/// <summary>Attention: scores are multiplied by <paramref name="Scale"/>; causal masks keys after the query.</summary>
public sealed record AttentionAttributes(double Scale, bool Causal) : Attributes;
