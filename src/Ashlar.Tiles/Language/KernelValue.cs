using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>A value of a kernel while it is traced: a tile of elements, or one, that statements compute where they use
/// it.</summary>
/// <remarks>
/// Values are recipes: <c>a * 2 + b</c> computes nothing until it is stored, reduced or multiplied, and is computed again for
/// every use
/// (<see cref="KernelBuilder.Keep"/> computes once). Shapes broadcast as in NumPy, from the last axis; <see cref="Rows"/> and
/// <see cref="Columns"/> make a vector one value per row or column. Numbers take the element type beside them; 16-bit floats
/// compute in
/// float32; other types do not mix. Integer division rounds down.
/// </remarks>
public class KernelValue
{
    readonly Func<Node[], Node> element;
    readonly (Memory Memory, long Born)[] reads;

    internal KernelValue(KernelBuilder? builder, KernelAxis[] axes, DType dtype, Func<Node[], Node> element,
        params (Memory, long)[] reads)
    {
        Builder = builder;
        Axes = axes;
        DType = dtype;
        this.element = element;
        this.reads = reads;
    }

    KernelValue(double real, long integer, bool isInteger) : this(null, [], isInteger ? DType.Int32 : DType.Float32, null!)
    {
        element = _ => As(DType)(0);
        Number = new(real, integer, isInteger);
    }

    /// <summary>A number, which takes the element type beside it.</summary>
    internal readonly record struct Literal(double Real, long Integer, bool IsInteger);

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>How many axes it has; 0 for one number.</summary>
    public int Rank => Axes.Length;

    /// <summary>A vector as one value per row: [M] becomes [M, 1].</summary>
    public KernelValue Rows => Vector("Rows").View([Axes[0], KernelAxis.One], i => [i[0]]);

    /// <summary>A vector as one value per column: [N] becomes [1, N], which is how it broadcasts anyway.</summary>
    public KernelValue Columns => Vector("Columns").View([KernelAxis.One, Axes[0]], i => [i[1]]);

    /// <summary>The transpose of a matrix.</summary>
    /// <exception cref="KernelException">It has not two axes (ASH0587).</exception>
    public KernelValue T =>
        Rank == 2 ? View([Axes[1], Axes[0]], i => [i[1], i[0]]) : throw WrongRank("is transposed", "two axes");

    /// <summary>Whose trace it belongs to; null for a number.</summary>
    internal KernelBuilder? Builder { get; }

    internal KernelAxis[] Axes { get; }

    internal Literal? Number { get; }

    /// <summary>The memories it reads, each with the moment from which on it must not have changed.</summary>
    internal virtual IEnumerable<(Memory Memory, long Born)> Reads => reads;

    /// <summary>Element type and shape, as errors write them.</summary>
    internal string Type => $"{DType.Name}[{string.Join(", ", Axes)}]";

    /// <summary>A real number.</summary>
    public static implicit operator KernelValue(float number) => new((double)number, 0, false);

    /// <summary>A real number.</summary>
    public static implicit operator KernelValue(double number) => new(number, 0, false);

    /// <summary>A whole number.</summary>
    public static implicit operator KernelValue(int number) => new(number, number, true);

    /// <summary>A whole number.</summary>
    public static implicit operator KernelValue(long number) => new(number, number, true);

    /// <summary>The sum.</summary>
    public static KernelValue operator +(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Add, "adds", a, b);

    /// <summary>The difference.</summary>
    public static KernelValue operator -(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Sub, "subtracts", a, b);

    /// <summary>The product, element by element; <see cref="KernelMath.Dot"/> multiplies matrices.</summary>
    public static KernelValue operator *(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Mul, "multiplies", a, b);

    /// <summary>The quotient; of integers rounded down.</summary>
    public static KernelValue operator /(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Div, "divides", a, b);

    /// <summary>The rest of a division, with the sign of the divisor.</summary>
    public static KernelValue operator %(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Mod, "divides", a, b);

    /// <summary>The negation.</summary>
    public static KernelValue operator -(KernelValue x) => KernelMath.Apply(Op.Neg, x);

    /// <summary>Where a is less.</summary>
    public static KernelValue operator <(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Less, "compares", a, b);

    /// <summary>Where a is greater.</summary>
    public static KernelValue operator >(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Less, "compares", b, a);

    /// <summary>Where a is less or equal.</summary>
    public static KernelValue operator <=(KernelValue a, KernelValue b) => KernelMath.Combine(Op.LessEqual, "compares", a, b);

    /// <summary>Where a is greater or equal.</summary>
    public static KernelValue operator >=(KernelValue a, KernelValue b) => KernelMath.Combine(Op.LessEqual, "compares", b, a);

    /// <summary>Both: of conditions, or bit by bit.</summary>
    public static KernelValue operator &(KernelValue a, KernelValue b) => KernelMath.Combine(Op.And, "combines", a, b);

    /// <summary>Either: of conditions, or bit by bit.</summary>
    public static KernelValue operator |(KernelValue a, KernelValue b) => KernelMath.Combine(Op.Or, "combines", a, b);

    /// <summary>Where a condition does not hold.</summary>
    public static KernelValue operator !(KernelValue x) => KernelMath.Apply(Op.Not, x);

    /// <summary>The element at these indices, one int64 scalar per axis, in its element type.</summary>
    internal Node At(Node[] indices) => element(indices);

    /// <summary>The element in its compute type.</summary>
    internal Node Wide(Node[] indices) => Nodes.Cast(At(indices), DType.Compute);

    /// <summary>What stands for it when statements are made: a product that nobody added to anything is computed into a tile
    /// now.</summary>
    internal virtual KernelValue Settled() => this;

    /// <summary>The same elements on other axes.</summary>
    internal KernelValue View(KernelAxis[] axes, Func<Node[], Node[]> map)
    {
        var settled = Settled();
        return new(Builder, axes, DType, i => settled.At(map(i)), [.. settled.Reads]);
    }

    /// <summary>Of a number: makes it a constant of an element type.</summary>
    internal Func<int, Node> As(DType dtype) => _ =>
        Number is { IsInteger: true } whole ? Nodes.Constant(whole.Integer, dtype, Shape.Scalar)
        : Nodes.Constant(Number!.Value.Real, dtype, Shape.Scalar);

    internal KernelException WrongRank(string does, string needs) =>
        new("ASH0587", $"{Type} {does}{KernelBuilder.Where()}, which needs {needs}.",
            "index the axes that are too many, or take .Rows or .Columns of a vector.");

    KernelValue Vector(string what) => Rank == 1 ? this : throw WrongRank($"is asked for its {what}", "one axis");

    /// <inheritdoc/>
    public override string ToString() => Type;
}

/// <summary>A tile that statements change. As a value it is what it holds at that moment.</summary>
/// <remarks>
/// <c>t[..] = e</c> stores, <c>t += e</c> and its kin update in place, <c>t += Dot(a, b)</c> accumulates a product.
/// Not initialised: <c>k.Full</c> and <c>k.Keep</c> make tiles that hold something.
/// </remarks>
public sealed class KernelTile : KernelValue
{
    readonly KernelBuilder k;

    internal KernelTile(KernelBuilder k, Tile tile, KernelAxis[] axes) : base(k, axes, tile.DType, i => tile.Load(i)) =>
        (this.k, Tile) = (k, tile);

    internal Tile Tile { get; }

    internal override IEnumerable<(Memory Memory, long Born)> Reads => [(Tile, k.Now)];

    /// <summary>A part of the tile, to read or to store to: <c>t[..]</c> is all of it, <c>t[i, ..]</c> a row.</summary>
    /// <param name="indices">One per axis, or <c>..</c> alone for everything.</param>
    /// <exception cref="KernelException">The indices do not fit the tile (ASH0582), or the value stored does not fit the part
    /// (ASH0573).</exception>
    public KernelValue this[params ReadOnlySpan<KernelIndex> indices]
    {
        get => Place.Of(k, Tile, Axes, indices).Load(null);
        set => Place.Of(k, Tile, Axes, indices).Store(value, StoreMode.Set, atomic: false, null);
    }

    /// <summary>Adds to every element; a product accumulates.</summary>
    public void operator +=(KernelValue x)
    {
        if (x is KernelProduct product && product.IsOpen) product.AddTo(this);
        else this[..] = this + x;
    }

    /// <summary>Subtracts from every element.</summary>
    public void operator -=(KernelValue x) => this[..] = this - x;

    /// <summary>Multiplies every element.</summary>
    public void operator *=(KernelValue x) => this[..] = this * x;

    /// <summary>Divides every element.</summary>
    public void operator /=(KernelValue x) => this[..] = this / x;

    /// <summary>Stores to the elements that the indices name where a condition holds.</summary>
    /// <param name="indices">One per axis.</param>
    /// <param name="value">What is stored.</param>
    /// <param name="where">A condition over the axes of the indices.</param>
    public void Store(ReadOnlySpan<KernelIndex> indices, KernelValue value, KernelValue where) =>
        Place.Of(k, Tile, Axes, indices).Store(value, StoreMode.Set, atomic: false, where);
}

/// <summary>An input or output of a kernel: a whole tensor in memory.</summary>
public sealed class KernelBuffer
{
    readonly KernelBuilder k;

    internal KernelBuffer(KernelBuilder k, TileBuffer buffer) => (this.k, Buffer) = (k, buffer);

    /// <summary>The element type.</summary>
    public DType DType => Buffer.DType;

    /// <summary>The extents of its axes: numbers or symbols.</summary>
    public Shape Shape => Buffer.Shape;

    internal TileBuffer Buffer { get; }

    /// <summary>A part of the tensor, to read or to store to. Edges are masked: a tile that ends beyond the axis is
    /// cut.</summary>
    /// <param name="indices">One per axis, or <c>..</c> alone for everything.</param>
    /// <exception cref="KernelException">The indices do not fit (ASH0582), or the value stored does not fit the part
    /// (ASH0573).</exception>
    public KernelValue this[params ReadOnlySpan<KernelIndex> indices]
    {
        get => At(indices).Load(null);
        set => At(indices).Store(value, StoreMode.Set, atomic: false, null);
    }

    /// <summary>The elements where a condition holds, and 0 elsewhere, where memory is not touched and indices may be out of
    /// range.</summary>
    /// <param name="indices">One per axis.</param>
    /// <param name="where">A condition over the axes of the indices.</param>
    public KernelValue Load(ReadOnlySpan<KernelIndex> indices, KernelValue where) => At(indices).Load(where);

    /// <summary>Stores where a condition holds.</summary>
    /// <param name="indices">One per axis.</param>
    /// <param name="value">What is stored.</param>
    /// <param name="where">A condition over the axes of the indices.</param>
    public void Store(ReadOnlySpan<KernelIndex> indices, KernelValue value, KernelValue where) =>
        At(indices).Store(value, StoreMode.Set, atomic: false, where);

    /// <summary>Adds atomically: several iterations of the grid may add to one element, in any order.</summary>
    /// <param name="indices">One per axis; several may point at one element. Within brackets <c>Range.All</c> is the whole axis,
    /// since <c>..</c> spreads there.</param>
    /// <param name="value">What is added.</param>
    /// <param name="where">Only where this condition holds; null for everywhere.</param>
    public void Add(ReadOnlySpan<KernelIndex> indices, KernelValue value, KernelValue? where = null) =>
        At(indices).Store(value, StoreMode.Add, atomic: true, where);

    /// <summary>Keeps the greater of what is there and a value, atomically.</summary>
    /// <param name="indices">One per axis; several may point at one element. Within brackets <c>Range.All</c> is the whole axis,
    /// since <c>..</c> spreads there.</param>
    /// <param name="value">What is compared with.</param>
    /// <param name="where">Only where this condition holds; null for everywhere.</param>
    public void Max(ReadOnlySpan<KernelIndex> indices, KernelValue value, KernelValue? where = null) =>
        At(indices).Store(value, StoreMode.Max, atomic: true, where);

    Place At(ReadOnlySpan<KernelIndex> indices) => Place.Of(k, Buffer, [.. Buffer.Shape.Select(KernelAxis.Of)], indices);
}

/// <summary>The tile of an axis that a loop is at, or its single element. As a value: the positions of its elements,
/// int64.</summary>
public sealed class KernelRange : KernelValue
{
    internal KernelRange(KernelBuilder k, KernelAxis[] axes, Node index, Node start, Extent axis) :
        base(k, axes, DType.Int64, i => i.Length == 0 ? start : Nodes.Binary(Op.Add, start, i[0])) =>
        (Index, Start, Axis) = (Scalar(k, index), Scalar(k, start), axis);

    /// <summary>Which tile it is: 0, 1, ...</summary>
    public KernelValue Index { get; }

    /// <summary>The position of its first element.</summary>
    public KernelValue Start { get; }

    /// <summary>The position after its last element; an edge that the axis cuts off is not counted.</summary>
    public KernelValue End => Start + Length;

    /// <summary>How many elements it has.</summary>
    public KernelValue Length => Scalar(Builder!, Axes.Length == 0 ? TileNodes.Number(1) : Axes[0].Length);

    /// <summary>The whole axis.</summary>
    internal Extent Axis { get; }

    static KernelValue Scalar(KernelBuilder k, Node node) => new(k, [], DType.Int64, _ => node);
}

/// <summary>A matrix product that is not computed yet: added to a tile it accumulates there, used otherwise it gets a tile of its
/// own.</summary>
public sealed class KernelProduct : KernelValue
{
    readonly KernelValue left, right;
    KernelTile? tile;

    internal KernelProduct(KernelBuilder k, KernelAxis[] axes, DType dtype, KernelValue left, KernelValue right) :
        base(k, axes, dtype, _ => throw new InvalidOperationException("a product is settled before it is used")) =>
            (this.left, this.right) = (left, right);

    internal bool IsOpen => tile is null;

    internal override IEnumerable<(Memory Memory, long Born)> Reads => tile is null ? left.Reads.Concat(right.Reads) : tile.Reads;

    internal override KernelValue Settled()
    {
        if (tile is not null) return tile;
        tile = Builder!.Full(0, DType, Axes);
        Builder.Product(tile, left, right);
        return tile;
    }

    /// <summary>Accumulates into a tile.</summary>
    internal void AddTo(KernelTile target)
    {
        if (target.Rank != 2 || target.Axes[0].Length != Axes[0].Length || target.Axes[1].Length != Axes[1].Length)
            throw new KernelException("ASH0576", $"the product {Type} is added to the tile {target.Type}{KernelBuilder.Where()}.",
                "give the tile the rows of the left and the columns of the right.");
        if (target.DType != DType)
            throw new KernelException("ASH0576",
                $"the product {Type} is added to the tile {target.Type}{KernelBuilder.Where()}, but its sums are {DType.Name}.",
                $"make the tile {DType.Name}.");
        Builder!.Product(target, left, right);
    }
}
