using System.Diagnostics;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>The matrix product of the CPU: batched, of any strides, with elementwise work on its operands and its
/// result.</summary>
/// <remarks>
/// How this works. The result is cut into items, blocks of rows and columns of one product of the batch, which workers take
/// until none is left; no worker waits for another before the end. An item goes through blocks of the inner axis. For each it
/// packs its part of the left operand (unless reading in place is cheaper), then goes through column panels as wide as the
/// register tile; for each panel it runs the micro-kernel down all row panels. The first of them reads the panel of the right
/// operand from the matrix itself and leaves it packed for the others, so packing costs nothing and the matrix is read once;
/// meanwhile all of them prefetch the next panel and the result, a few lines at a time: bursts would fill the line buffers.
/// Sums go straight to the result where that is f32 rows and there is no epilogue, else through scratch memory; an epilogue
/// takes them while they are in the nearest caches. It knows nothing of graphs or tile programs.
/// One call at a time; calls allocate nothing once their micro-kernels are compiled.
/// </remarks>
sealed unsafe class Contraction
{
    readonly Action<int, int> work;

    ContractionCall call;
    // The call is the transposed product: operands and their functions changed places.
    bool isSwapped;
    Blocking blocking;
    ChunkedRange items;
    byte* scratch;

    /// <param name="isa">The path.</param>
    /// <param name="compute">What is multiplied and added: f32, f64, i32 or i64. 16-bit floats compute in f32, small integers in
    /// i32.</param>
    /// <param name="left">Fills blocks of the left operand, [rows, inner]; null reads <see cref="ContractionCall.Left"/>.</param>
    /// <param name="right">Fills blocks of the right operand, [columns, inner]; null reads
    /// <see cref="ContractionCall.Right"/>.</param>
    /// <param name="epilogue">Takes finished sums; null stores them to <see cref="ContractionCall.Result"/>.</param>
    /// <param name="blockScratchBytes">What each of these functions needs of <see cref="BlockPlace.Scratch"/>.</param>
    /// <exception cref="DTypeException">No micro-kernel multiplies the compute type.</exception>
    public Contraction(Isa isa, DType compute, BlockFunction? left = null, BlockFunction? right = null,
        BlockFunction? epilogue = null, long blockScratchBytes = 0)
    {
        if (compute is not (DType.Float32 or DType.Float64 or DType.Int32 or DType.Int64))
            throw new DTypeException("ASH0622",
                $"a contraction cannot compute in {compute.Name}; it computes in f32, f64, i32 or i64.",
                "cast the operands to one of these; 16-bit floats and small integers are widened by themselves.");
        (Isa, Compute, Left, Right, Epilogue) = (isa, compute, left, right, epilogue);
        Memory = new(isa, compute.Bytes, blockScratchBytes);
        work = Work;
    }

    /// <summary>The instruction path.</summary>
    public Isa Isa { get; }

    /// <summary>The type products are computed in.</summary>
    public DType Compute { get; }

    /// <summary>Fills blocks of the left operand, where it is more than a strided array.</summary>
    public BlockFunction? Left { get; }

    /// <summary>Fills blocks of the right operand, where it is more than a strided array.</summary>
    public BlockFunction? Right { get; }

    /// <summary>Takes finished sums.</summary>
    public BlockFunction? Epilogue { get; }

    /// <summary>Scratch memory that each worker needs, whatever the extents; a multiple of 64.</summary>
    public long ScratchBytes => Memory.Bytes;

    internal ScratchPlan Memory { get; }

    /// <summary>Blocks that tuning found, which go before those that <see cref="Blocking.Choose"/> gives; null for
    /// none.</summary>
    public TunedProducts? Tuned { get; init; }

    /// <summary>The blocks of every call: what tuning times. Null leaves the choice.</summary>
    public VectorBlocks? ForcedBlocks { get; set; }

    internal Elem Elem => VecType.ElemOf(Compute);

    /// <summary>Computes the product.</summary>
    /// <param name="product">Extents, operands and result.</param>
    /// <param name="workers">Who may help.</param>
    /// <param name="memory"><see cref="ScratchBytes"/> for each of the workers, aligned to 64 bytes.</param>
    public void Run(in ContractionCall product, Workers workers, byte* memory)
    {
        long batch = 1;
        for (int axis = 0; axis < product.BatchRank; axis++) batch *= product.Batch[axis].Count;
        if (batch == 0 || product.Rows == 0 || product.Columns == 0) return;
        Debug.Assert(!product.Accumulate || Epilogue is null, "an epilogue sees finished sums only");

        Choose(product, workers.Count, batch);
        scratch = memory;
        items = new(batch * blocking.RowBlocks * blocking.ColumnBlocks, 1);
        workers.Run(blocking.Workers, work);
    }

    /// <summary>Compiles the micro-kernels that a product will use; where its memory lies need not be known yet.</summary>
    /// <param name="product">Extents and strides.</param>
    /// <param name="threads">How many workers will help.</param>
    public void Prepare(in ContractionCall product, int threads)
    {
        long batch = 1;
        for (int axis = 0; axis < product.BatchRank; axis++) batch *= product.Batch[axis].Count;
        if (batch == 0 || product.Rows == 0 || product.Columns == 0) return;
        Choose(product, threads, batch);
        foreach (var key in ContractionItem.Keys(this, call, blocking, isSwapped)) MicroKernels.Get(key);
    }

    /// <summary>Decides which of the operands is packed, and the blocks.</summary>
    void Choose(in ContractionCall product, int threads, long batch)
    {
        call = product;
        isSwapped = false;
        var facts = CaseOf(call, isSwapped, threads);
        if ((ForcedBlocks ?? Tuned?.OnVectors(KeyOf(product, threads))) is { } tuned && Takes(tuned, facts, threads, batch))
            return;
        if (Epilogue is null)
        {
            var transposed = Transposed(product);
            var otherFacts = CaseOf(transposed, isSwapped: true, threads);
            if (Blocking.Cost(otherFacts, transposed) < 0.95 * Blocking.Cost(facts, product))
                (call, facts, isSwapped) = (transposed, otherFacts, true);
        }
        blocking = Blocking.Choose(facts, batch, call.Rows, call.Columns, call.Inner);
    }

    // An epilogue sees rows and columns as they are; a config found without one may be for the transposed product.
    bool Takes(in VectorBlocks tuned, in BlockingCase facts, int threads, long batch)
    {
        if (!tuned.IsSwapped)
        {
            if (tuned.For(facts, batch, call.Rows, call.Columns, call.Inner) is not { } straight) return false;
            blocking = straight;
            return true;
        }
        if (Epilogue is not null) return false;
        var other = Transposed(call);
        if (tuned.For(CaseOf(other, isSwapped: true, threads), batch, other.Rows, other.Columns, other.Inner) is not { } chosen)
            return false;
        (call, blocking, isSwapped) = (other, chosen, true);
        return true;
    }

    /// <summary>What tuning knows a product by.</summary>
    internal ProductKey KeyOf(in ContractionCall product, int threads)
    {
        long products = 1;
        for (int axis = 0; axis < product.BatchRank; axis++) products *= product.Batch[axis].Count;
        var facts = CaseOf(product, isSwapped: false, threads);
        return new(Compute, facts.Left, facts.Right, RightIsPacked: false, products, product.Rows, product.Columns,
            product.Inner, threads);
    }

    /// <summary>How the operands of a call lie, and those of the transposed product; null for these where an epilogue forbids
    /// it.</summary>
    internal (BlockingCase Straight, BlockingCase? Swapped) CasesOf(in ContractionCall product, int threads) =>
        (CaseOf(product, isSwapped: false, threads),
            Epilogue is null ? CaseOf(Transposed(product), isSwapped: true, threads) : null);

    /// <summary>The blocks that the last call was computed with.</summary>
    internal VectorBlocks LastBlocks => VectorBlocks.Of(blocking, isSwapped, call.Rows, call.Columns);

    /// <summary>The last call streamed its right operand, which no config says.</summary>
    internal bool StreamsLast => blocking.Streams;

    /// <summary>What the blocking of a call depends on.</summary>
    internal BlockingCase CaseOf(in ContractionCall product, bool isSwapped, int threads)
    {
        var (left, right) = isSwapped ? (Right, Left) : (Left, Right);
        // Packing by offsets takes about as long as turning.
        return new(Isa, Compute.Bytes, threads,
            Right: product.RightOffsets is not null ? OperandAccess.Turned : right is not null
                || product.Right.DType != Compute ? OperandAccess.Converted
                : product.Right.ColumnStride == 1
                ? OperandAccess.InPlace
                : product.Right.RowStride == 1 ? OperandAccess.Turned : OperandAccess.Scattered,
            RightStrideBytes: product.Right.RowStride * Compute.Bytes,
            Left: product.LeftOffsets is not null ? OperandAccess.Turned : left is not null
                || product.Left.DType != Compute ? OperandAccess.Converted
                : product.Left.ColumnStride == 1
                ? OperandAccess.InPlace
                : product.Left.RowStride == 1 ? OperandAccess.Turned : OperandAccess.Scattered,
            LeftStrideBytes: product.Left.RowStride * Compute.Bytes,
            ResultIsScratch: Epilogue is not null || product.Result.ColumnStride != 1);
    }

    /// <summary>The product whose result is the transpose.</summary>
    static ContractionCall Transposed(in ContractionCall product)
    {
        var other = product;
        (other.Rows, other.Columns) = (product.Columns, product.Rows);
        (other.Left, other.Right, other.Result) = (Turned(product.Right), Turned(product.Left), Turned(product.Result));
        (other.LeftOffsets, other.RightOffsets) = (product.RightOffsets, product.LeftOffsets);
        (other.LeftEnd, other.RightEnd) = (product.RightEnd, product.LeftEnd);
        for (int axis = 0; axis < product.BatchRank; axis++)
            other.Batch[axis] = product.Batch[axis] with { Left = product.Batch[axis].Right, Right = product.Batch[axis].Left };
        return other;

        static MatrixView Turned(in MatrixView view) => view with
        {
            RowStride = view.ColumnStride,
            ColumnStride = view.RowStride,
        };
    }

    void Work(int worker, int workers)
    {
        long* batch = stackalloc long[BatchAxes.Most];
        byte* offsets = stackalloc byte[call.LeftOffsets is null && call.RightOffsets is null ? 0 : ItemOffsets.Bytes];
        var item = new ContractionItem(this, in call, in blocking, isSwapped, scratch + worker * ScratchBytes, batch, worker,
            new(offsets));
        while (items.Take(out long index, out long end))
            for (; index < end; index++) item.Run(index);
    }
}

/// <summary>Where the parts of a worker's scratch memory lie.</summary>
readonly record struct ScratchPlan
{
    public ScratchPlan(Isa isa, int elementBytes, long blockScratchBytes)
    {
        long panel = Aligned((Blocking.MostInner + 8) * RegisterTile.MostVectors(isa) * isa.VectorBytes + Packing.SlackBytes);
        long left = Math.Max(Blocking.LeftBytes, 4L * RegisterTile.MostRows(isa) * (Blocking.MostInner + 8) * elementBytes)
            + Packing.SlackBytes;
        long sums = Math.Max(Blocking.SumBytes, Blocking.MostItemRows * RegisterTile.MostVectors(isa) * isa.VectorBytes);
        Right = Aligned(left);
        Wide = Right + panel;
        Sums = Wide + panel;
        Block = Sums + Aligned(sums + Packing.SlackBytes);
        Bytes = Block + Aligned(blockScratchBytes);
    }

    /// <summary>Packed left operand: at 0. The packed panel of the right operand begins here.</summary>
    public long Right { get; }

    /// <summary>Rows of an operand on their way into a panel.</summary>
    public long Wide { get; }

    /// <summary>Sums that do not go straight to the result.</summary>
    public long Sums { get; }

    /// <summary>What block functions use.</summary>
    public long Block { get; }

    /// <summary>All of it.</summary>
    public long Bytes { get; }

    static long Aligned(long bytes) => (bytes + 63) & ~63L;
}
