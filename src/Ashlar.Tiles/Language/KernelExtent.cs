using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>The length of an axis of an input or output: a number, an extent, or a name that a call binds to what it is
/// given.</summary>
public readonly struct KernelExtent
{
    readonly string? name;
    readonly Extent extent;

    KernelExtent(string name) => this.name = name;

    KernelExtent(Extent extent) => this.extent = extent;

    /// <summary>A name: the first axis that has it binds it, every other must be as long.</summary>
    public static implicit operator KernelExtent(string name) => new(name);

    /// <summary>A number.</summary>
    public static implicit operator KernelExtent(int length) => new((Extent)length);

    /// <summary>A number.</summary>
    public static implicit operator KernelExtent(long length) => new((Extent)length);

    /// <summary>An extent, such as a polynomial of what <see cref="KernelBuilder.Extent"/> gives.</summary>
    public static implicit operator KernelExtent(Extent extent) => new(extent);

    /// <summary>The name; null for a number or extent.</summary>
    internal string? Name => name;

    /// <summary>The extent, where there is no name.</summary>
    internal Extent Extent => extent;

    /// <inheritdoc/>
    public override string ToString() => name ?? extent.ToString();
}

/// <summary>What a loop or a grid runs over: an axis in tiles, or every element of an axis one by one.</summary>
public readonly struct LoopAxis
{
    LoopAxis(KernelExtent extent, long tile) => (Length, Tile) = (extent, tile);

    /// <summary>An axis in tiles: <c>("N", 64)</c>. The last tile is shorter where the axis is no multiple.</summary>
    public static implicit operator LoopAxis((KernelExtent Extent, int Tile) axis) => new(axis.Extent, axis.Tile);

    /// <summary>An axis in tiles.</summary>
    public static implicit operator LoopAxis((string Extent, int Tile) axis) => new(axis.Extent, axis.Tile);

    /// <summary>An axis in tiles.</summary>
    public static implicit operator LoopAxis((int Extent, int Tile) axis) => new(axis.Extent, axis.Tile);

    /// <summary>An axis in tiles.</summary>
    public static implicit operator LoopAxis((Extent Extent, int Tile) axis) => new(axis.Extent, axis.Tile);

    /// <summary>Every element of an axis.</summary>
    public static implicit operator LoopAxis(string extent) => new(extent, 0);

    /// <summary>0 below a number.</summary>
    public static implicit operator LoopAxis(int count) => new(count, 0);

    /// <summary>0 below an extent.</summary>
    public static implicit operator LoopAxis(Extent count) => new(count, 0);

    /// <summary>The whole axis.</summary>
    internal KernelExtent Length { get; }

    /// <summary>Elements in a tile; 0 for single elements.</summary>
    internal long Tile { get; }
}

/// <summary>An axis of a tile or value: at most <paramref name="Count"/> elements, of which there are <paramref
/// name="Length"/>.</summary>
/// <param name="Count">Known when the kernel is compiled; of a ragged axis the length of a whole tile.</param>
/// <param name="Length">An int64 scalar; equal lengths are one node.</param>
readonly record struct KernelAxis(Extent Count, Node Length)
{
    /// <summary>The axis that has one element.</summary>
    public static KernelAxis One => Of(1);

    /// <summary>An axis that is as long as it may be.</summary>
    public static KernelAxis Of(Extent extent) => new(extent, Nodes.Size(extent));

    public bool IsOne => Count == 1;

    public override string ToString() => Nodes.Size(Count) == Length ? Count.ToString() : $"up to {Count}";
}

/// <summary>An axis of a tile that is made: a number, or the tile of a loop, whose ragged edge it takes over.</summary>
public readonly struct TileAxis
{
    readonly KernelRange? range;
    readonly KernelExtent extent;

    TileAxis(KernelRange range) => this.range = range;

    TileAxis(KernelExtent extent) => this.extent = extent;

    /// <summary>As long as the tile of a loop.</summary>
    public static implicit operator TileAxis(KernelRange range) => new(range);

    /// <summary>So many elements.</summary>
    public static implicit operator TileAxis(int length) => new((KernelExtent)length);

    /// <summary>So many elements.</summary>
    public static implicit operator TileAxis(Extent length) => new((KernelExtent)length);

    /// <summary>As long as the axis of this name.</summary>
    public static implicit operator TileAxis(string name) => new((KernelExtent)name);

    internal KernelAxis Resolve(KernelBuilder k)
    {
        if (range is null) return KernelAxis.Of(k.Resolve(extent));
        return range.Axes.Length == 1 ? range.Axes[0] : KernelAxis.One;
    }
}

/// <summary>One index into a buffer or tile: the tile of a loop, everything (<c>..</c>), a number, or computed
/// positions.</summary>
public readonly struct KernelIndex
{
    KernelIndex(KernelRange? range, KernelValue? value, long? number) => (Range, Value, Number) = (range, value, number);

    /// <summary>The elements that a loop's tile covers.</summary>
    public static implicit operator KernelIndex(KernelRange range) => new(range, null, null);

    /// <summary>Positions that are computed: a scalar takes one element, a vector gathers or scatters. Checked when the kernel
    /// runs, unless they are in range for sure.</summary>
    public static implicit operator KernelIndex(KernelValue positions) => new(null, positions, null);

    /// <summary>One element.</summary>
    public static implicit operator KernelIndex(int position) => new(null, null, position);

    /// <summary>The whole axis: <c>..</c>; as the only index the whole buffer or tile.</summary>
    /// <exception cref="KernelException">The range has a start or an end (ASH0582).</exception>
    public static implicit operator KernelIndex(Range whole)
    {
        if (!whole.Equals(System.Range.All))
            throw new KernelException("ASH0582", $"the index {whole} has a start or an end{KernelBuilder.Where()}.",
                "index a part by the tile of a loop, or by computed positions; '..' is the whole axis.");
        return default;
    }

    internal KernelRange? Range { get; }

    internal KernelValue? Value { get; }

    internal long? Number { get; }

    internal bool IsWhole => Range is null && Value is null && Number is null;
}
