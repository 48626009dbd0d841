namespace Ashlar;

/// <summary>Hands out rows of a weight that is stored in blocks, in the form <c>value = scale * table[code] -
/// minimum</c>.</summary>
/// <param name="firstRow">The first row.</param>
/// <param name="rows">How many rows.</param>
/// <param name="codes">[rows, columns]: int8 codes as the bits of a signed byte, int4 codes from 0 to 15.</param>
/// <param name="scales">[rows, columns / block]</param>
/// <param name="minima">The same, or empty where the encoding has no minimum.</param>
/// <remarks>Called on several threads at once, for different rows. What table an int4 code refers to is the encoding's
/// matter.</remarks>
public delegate void WeightBlockReader(long firstRow, int rows, Span<byte> codes, Span<float> scales, Span<float> minima);

/// <summary>A matrix to be packed, [rows, columns], read row by row: nothing of it is copied beforehand.</summary>
public abstract class WeightSource
{
    private protected WeightSource(long rows, long columns)
    {
        if (rows < 1 || columns < 1)
            throw new ShapeException("ASH0641", $"a weight of {rows} by {columns} was given, which holds nothing.",
                "give every extent at least 1.");
        (Rows, Columns) = (rows, columns);
    }

    /// <summary>Outputs.</summary>
    public long Rows { get; }

    /// <summary>Inputs.</summary>
    public long Columns { get; }

    /// <summary>Which row of the matrix becomes each output; null: they stay as they are.</summary>
    internal int[]? Order { get; private set; }

    /// <summary>The same matrix with its rows in another order.</summary>
    /// <param name="order">Of each output, which row it is: each row once.</param>
    /// <exception cref="ShapeException">There are more or fewer numbers than rows (ASH0647).</exception>
    public WeightSource InOrder(int[] order)
    {
        ArgumentNullException.ThrowIfNull(order);
        if (this is GatedSource)
            throw new ShapeException("ASH0647", "rows of a gate and of what passes it were to be put in another order together.",
                "order each of the two matrices before WeightSource.Gated.");
        if (order.Length != Rows)
            throw new ShapeException("ASH0647", $"an order of {order.Length} rows was given to a matrix of {Rows}.",
                "name each row once.");
        Order = order;
        return this;
    }

    /// <summary>Numbers as they lie in memory, such as a mapped file.</summary>
    /// <param name="data">[rows, columns], row-major, little endian; at least as many bytes.</param>
    /// <param name="dtype">float32, float16 or bfloat16.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <exception cref="DTypeException">Another element type.</exception>
    /// <exception cref="ShapeException">The memory is too short.</exception>
    public static WeightSource Of(ReadOnlyMemory<byte> data, DType dtype, long rows, long columns) =>
        new DenseSource(data, dtype, rows, columns);

    /// <summary>The values of a matrix; computes them.</summary>
    /// <param name="matrix">[rows, columns] of float32, float16 or bfloat16.</param>
    public static WeightSource Of(Tensor matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        if (matrix.Rank != 2)
            throw new ShapeException("ASH0105", $"a packed weight is a matrix, but got {matrix.Type}.",
                "reshape it to [outputs, inputs].");
        return new DenseSource(matrix.Memory(), matrix.DType, matrix.Shape[0].Value, matrix.Shape[1].Value);
    }

    /// <summary>Numbers that are stored in blocks, such as a GGUF file's.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs, a multiple of <paramref name="block"/>.</param>
    /// <param name="block">Inputs that share a scale: a multiple of the encoding's block.</param>
    /// <param name="reader">Hands out rows.</param>
    /// <exception cref="ShapeException">The columns are no whole number of blocks (ASH0647).</exception>
    public static WeightSource OfBlocks(long rows, long columns, int block, WeightBlockReader reader) =>
        new BlockSource(rows, columns, block, reader);

    /// <summary>Two matrices as products with a gate take them: 16 outputs of the gate, 16 that pass it, and so on.</summary>
    /// <param name="gate">[F, K]</param>
    /// <param name="up">[F, K]</param>
    /// <exception cref="ShapeException">They differ in extents, or F is no multiple of 16 (ASH0647).</exception>
    public static WeightSource Gated(WeightSource gate, WeightSource up)
    {
        ArgumentNullException.ThrowIfNull(gate);
        ArgumentNullException.ThrowIfNull(up);
        if (gate is GatedSource || up is GatedSource)
            throw new ShapeException("ASH0647", "a gate was made of matrices that have a gate already.", "pass plain matrices.");
        if (gate.Rows != up.Rows || gate.Columns != up.Columns || gate.Rows % WeightLayout.TileSide != 0)
            throw new ShapeException("ASH0647",
                $"a gate of {gate.Rows} by {gate.Columns} was to let {up.Rows} by {up.Columns} pass.",
                "give both the same extents, outputs a multiple of 16.");
        return new GatedSource(gate, up);
    }
}

/// <summary>Rows of two matrices, 16 of each in turn.</summary>
sealed class GatedSource(WeightSource gate, WeightSource up) : WeightSource(2 * gate.Rows, gate.Columns)
{
    public WeightSource Gate { get; } = gate;

    public WeightSource Up { get; } = up;
}

/// <summary>Rows of floats.</summary>
sealed class DenseSource : WeightSource
{
    readonly ReadOnlyMemory<byte> data;
    readonly Buffer? buffer;

    public DenseSource(ReadOnlyMemory<byte> data, DType dtype, long rows, long columns) : base(rows, columns)
    {
        Check(dtype, data.Length);
        (this.data, DType) = (data, dtype);
    }

    public DenseSource(Buffer buffer, DType dtype, long rows, long columns) : base(rows, columns)
    {
        Check(dtype, buffer.Bytes);
        (this.buffer, DType) = (buffer, dtype);
    }

    public DType DType { get; }

    /// <summary>Holds the memory in place until disposed.</summary>
    public unsafe System.Buffers.MemoryHandle Pin() =>
        buffer is null ? data.Pin() : new((void*)buffer.Address, pinnable: new Keeper(buffer));

    void Check(DType dtype, long bytes)
    {
        if (dtype is not (DType.Float32 or DType.Float16 or DType.BFloat16))
            throw new DTypeException("ASH0644", $"weights are packed from f32, f16 and bf16, but got {dtype.Name}.",
                "cast the matrix, or hand out blocks: WeightSource.OfBlocks.");
        if (bytes / dtype.Bytes / Columns < Rows)
            throw new ShapeException("ASH0641", $"{Rows} by {Columns} of {dtype.Name} were to be read from {bytes} bytes.",
                "pass all of the matrix's bytes.");
    }

    sealed class Keeper(Buffer buffer) : System.Buffers.IPinnable
    {
        public System.Buffers.MemoryHandle Pin(int elementIndex) => throw new NotSupportedException();

        public void Unpin() => GC.KeepAlive(buffer);
    }
}

/// <summary>Rows of blocks.</summary>
sealed class BlockSource : WeightSource
{
    public BlockSource(long rows, long columns, int block, WeightBlockReader reader) : base(rows, columns)
    {
        if (block < 1 || columns % block != 0)
            throw new ShapeException("ASH0647", $"rows of {columns} inputs are no whole number of blocks of {block}.",
                "check the width and the block of the format.");
        (Block, Reader) = (block, reader);
    }

    public int Block { get; }

    public WeightBlockReader Reader { get; }
}
