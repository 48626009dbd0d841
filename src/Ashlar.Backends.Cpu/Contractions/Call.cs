using System.Runtime.CompilerServices;

namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>A matrix in memory. Strides are in elements and may be anything, 0 included.</summary>
/// <param name="Data">The first element.</param>
/// <param name="DType">Element type.</param>
/// <param name="RowStride">From one row to the next.</param>
/// <param name="ColumnStride">From one column to the next.</param>
readonly record struct MatrixView(nint Data, DType DType, long RowStride, long ColumnStride);

/// <summary>One batch axis of a contraction: how often, and how far each matrix moves, in elements.</summary>
/// <param name="Count">How many products.</param>
/// <param name="Left">Step of the left operand; 0 uses one matrix for all.</param>
/// <param name="Right">Step of the right operand; 0 uses one matrix for all.</param>
/// <param name="Result">Step of the result.</param>
readonly record struct BatchAxis(long Count, long Left, long Right, long Result);

/// <summary>The batch axes of a call, outermost first.</summary>
[InlineArray(Most)]
struct BatchAxes
{
    /// <summary>How many there can be; neighbours that step evenly can be merged by the caller.</summary>
    public const int Most = 6;

    BatchAxis first;
}

/// <summary>One product, or a batch of them: <c>Result[m, n] (+)= sum over k of Left[m, k] * Right[k, n]</c>.</summary>
unsafe struct ContractionCall
{
    /// <summary>Rows of the left operand and of the result.</summary>
    public long Rows;
    /// <summary>Columns of the right operand and of the result.</summary>
    public long Columns;
    /// <summary>Products per element of the result. 0 gives zeros.</summary>
    public long Inner;
    /// <summary>[Rows, Inner]. Ignored where the contraction was made with a function for it.</summary>
    public MatrixView Left;
    /// <summary>[Inner, Columns]. Ignored where the contraction was made with a function for it.</summary>
    public MatrixView Right;
    /// <summary>Where the elements of the left operand lie, when no two strides say it: <see cref="Left"/> has its first one
    /// then. Null otherwise.</summary>
    public OffsetView? LeftOffsets;
    /// <summary>The same for the right operand.</summary>
    public OffsetView? RightOffsets;
    /// <summary>Where the buffers of such operands end, beyond which nothing is read.</summary>
    public nint LeftEnd, RightEnd;
    /// <summary>
    /// [Rows, Columns], in the compute type. Where the contraction was made with an epilogue: what the epilogue writes, in any
    /// type, to be fetched ahead; no address fetches nothing.
    /// </summary>
    public MatrixView Result;
    /// <summary>True adds to what the result holds. Not together with an epilogue.</summary>
    public bool Accumulate;
    /// <summary>How many of <see cref="Batch"/> are used.</summary>
    public int BatchRank;
    /// <summary>The batch axes, outermost first.</summary>
    public BatchAxes Batch;

    /// <summary>Where the matrices of one product of the batch begin.</summary>
    /// <param name="product">Which product.</param>
    /// <param name="rightElementBytes">What the right operand's batch axes step in: its element's bytes, or 1 where it lies
    /// packed.</param>
    /// <param name="batch">Gets the index along each axis.</param>
    public readonly void Locate(long product, int rightElementBytes, long* batch, out byte* left, out byte* right,
        out byte* result)
    {
        left = (byte*)Left.Data;
        right = (byte*)Right.Data;
        result = (byte*)Result.Data;
        for (int axis = BatchRank - 1; axis >= 0; axis--)
        {
            var step = Batch[axis];
            (product, long at) = Math.DivRem(product, step.Count);
            batch[axis] = at;
            left += at * step.Left * Left.DType.Bytes;
            right += at * step.Right * rightElementBytes;
            result += at * step.Result * Result.DType.Bytes;
        }
    }
}

/// <summary>A block that a <see cref="BlockFunction"/> fills or reads.</summary>
unsafe struct BlockPlace
{
    /// <summary>First row: of the result for an epilogue; of the operand's free axis (rows of the left, columns of the right) for
    /// an operand.</summary>
    public long Row;
    /// <summary>How many rows.</summary>
    public long Rows;
    /// <summary>First column: of the result for an epilogue, the inner index for an operand.</summary>
    public long Column;
    /// <summary>How many columns.</summary>
    public long Columns;
    /// <summary>The block's first element, in the compute type; columns are contiguous.</summary>
    public void* Data;
    /// <summary>Elements from one row of the block to the next.</summary>
    public long Stride;
    /// <summary>The index along each batch axis.</summary>
    public long* Batch;
    /// <summary>Which worker calls.</summary>
    public int Worker;
    /// <summary>Memory of this worker, as much as the contraction was made with.</summary>
    public byte* Scratch;
}

/// <summary>Elementwise work on one block: fills it with an operand, or takes finished sums from it.</summary>
/// <remarks>Called on several workers at once, for different blocks. An epilogue's columns may change the block.</remarks>
unsafe delegate void BlockFunction(BlockPlace* place);
