namespace Ashlar.Tiles;

/// <summary>A loop variable: counts from 0 in steps of 1. Compared by reference.</summary>
/// <param name="name">For the text form.</param>
/// <param name="count">No value reaches this; a loop may stop earlier (a ragged edge).</param>
public sealed class LoopVariable(string name, Extent count)
{
    /// <summary>For the text form.</summary>
    public string Name => name;

    /// <summary>No value reaches this.</summary>
    public Extent Count => count;

    /// <inheritdoc/>
    public override string ToString() => name;
}

/// <summary>Addressable elements: a buffer in memory or a tile of a kernel. Row-major; compared by reference.</summary>
/// <param name="name">For the text form.</param>
/// <param name="dtype">Element type.</param>
/// <param name="shape">Extents; they may be symbolic.</param>
public abstract class Memory(string name, DType dtype, Shape shape)
{
    /// <summary>For the text form.</summary>
    public string Name => name;

    /// <summary>Element type.</summary>
    public DType DType => dtype;

    /// <summary>Extents.</summary>
    public Shape Shape => shape;

    /// <inheritdoc/>
    public override string ToString() => $"{name}: {dtype.Name}{shape}";
}

/// <summary>A kernel's argument: a whole tensor in memory.</summary>
public sealed class TileBuffer(string name, DType dtype, Shape shape, bool written) : Memory(name, dtype, shape)
{
    /// <summary>True when the kernel writes to it.</summary>
    public bool Written => written;
}

/// <summary>Where a tile lives.</summary>
public enum TileSpace
{
    /// <summary>Memory of one worker that stays in its caches (shared memory on a GPU).</summary>
    Scratch,
    /// <summary>Accumulators that should stay in registers; a compiler may spill them to scratch.</summary>
    Register,
}

/// <summary>A block of elements that one iteration of the grid works on. Not initialised: reading before writing is an
/// error.</summary>
public sealed class Tile(string name, DType dtype, Shape shape, TileSpace space = TileSpace.Scratch) : Memory(name, dtype, shape)
{
    /// <summary>Where it lives.</summary>
    public TileSpace Space => space;
}
