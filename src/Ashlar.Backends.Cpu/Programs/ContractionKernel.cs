using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Compiler.Kernels;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A contraction run by the matrix engine, with its prologues and epilogue as block programs.</summary>
/// <remarks>
/// An operand that is a strided array goes to the engine as it is; anything more is computed a block at a time. Products of
/// bfloat16 and of bytes go to the tile unit where <see cref="MatrixUnit"/> says so, all others to the vectors.
/// </remarks>
sealed class ContractionKernel : CpuKernel
{
    readonly ContractionForm form;
    readonly IReadOnlyList<TileBuffer> buffers;
    readonly Isa isa;
    readonly TileProduct? tiles;                 // null computes on the vectors
    readonly StridedOperand? left;
    readonly StridedOperand? right;
    readonly StridedOperand? result;             // with an epilogue only to fetch it ahead
    readonly AffineOperand? leftOffsets;         // for the vectors, where strides are not enough
    readonly AffineOperand? rightOffsets;
    readonly BlockProgram? leftBlock;
    readonly BlockProgram? rightBlock;
    readonly BlockProgram? epilogue;

    public ContractionKernel(BuiltKernel kernel, Isa isa, bool usesTiles = true)
    {
        form = Regrouped(kernel.Form!);
        buffers = kernel.Program.Buffers;
        this.isa = isa;
        if (usesTiles && TileProduct.Of(form.LeftType, form.RightType) is { } product && form.Result.DType == product.Sum
            && MatrixUnit.Takes(isa, product)) tiles = product;
        left = Operand(form.Left, form.Rows, form.Inner, tiles?.Left);
        right = Operand(form.Right, form.Inner, form.Columns, tiles?.Right);
        result = StridedOperand.Of(form.Stores[0].Target, form.Stores[0].Indices, form.Batch, form.Rows, form.Columns);
        bool isPlain = result is not null && form.Stores is [var store] && IsPlain(store);
        if (tiles is null)
        {
            if (left is null) leftOffsets = AffineOperand.Of(form.Left, form.Result.DType, form.Batch, form.Rows, form.Inner);
            if (right is null)
                rightOffsets = AffineOperand.Of(form.Right, form.Result.DType, form.Batch, form.Columns, form.Inner);
        }
        if (left is null && leftOffsets is null)
            leftBlock = new(form.OperandBlock(left: true, tiles?.Left), form.Batch, buffers, blockFirst: false, isa);
        if (right is null && rightOffsets is null)
            rightBlock = new(form.OperandBlock(left: false, tiles?.Right), form.Batch, buffers, blockFirst: false, isa);
        if (!isPlain) epilogue = new(form.EpilogueBlock(), form.Batch, buffers, blockFirst: true, isa);

        StridedOperand? Operand(Node value, ValueList<LoopVariable> rows, ValueList<LoopVariable> columns, DType? type) =>
            type is { } tile
                ? StridedOperand.Of(value, tile, form.Batch, rows, columns)
                : StridedOperand.Of(value, form.Batch, rows, columns);
    }

    // Images whose channels are rows: neither the right operand nor the result goes on evenly from one image to the next. A
    // product for each of them.
    static ContractionForm Regrouped(ContractionForm form)
    {
        const long FewestColumns = 32;
        if (StridedOperand.Of(form.Right, form.Batch, form.Inner, form.Columns) is not null) return form;
        if (AffineOperand.Of(form.Right, form.RightType, form.Batch, form.Columns, form.Inner) is null) return form;
        for (int outer = 0; outer < form.Columns.Count && form.Batch.Count + outer <= BatchAxes.Most; outer++)
        {
            ValueList<LoopVariable> columns = [.. form.Columns.Skip(outer)];
            if (outer > 0 && ContractionForm.Count(columns).Min < FewestColumns) break;
            var grouped = outer == 0 ? form : form with
            {
                Batch = [.. form.Batch, .. form.Columns.Take(outer)],
                Columns = columns,
            };
            var store = grouped.Stores[0];
            if (StridedOperand.Of(store.Target, store.Indices, grouped.Batch, grouped.Rows, grouped.Columns) is not null)
                return grouped;
        }
        return form;
    }

    // The sums as they are, or, on tiles, rounded to bfloat16 and nothing else.
    bool IsPlain(ContractionStore store)
    {
        var value = store.Value;
        if (tiles == TileProduct.BF16 && store.Target.DType == DType.BFloat16)
            while (value is (Op.Cast, [var input]) && input.DType is DType.BFloat16 or DType.Float32) value = input;
        return ReferenceEquals(value, form.Result.Load([]));
    }

    /// <summary>What the tile unit multiplies; null where the vectors do.</summary>
    public TileProduct? Tiles => tiles;

    public override unsafe CpuLaunch Bind(Func<Symbol, long> symbols, nint* addresses, Workers workers) =>
        new ContractionLaunch(this, symbols, addresses, workers);

    sealed unsafe class ContractionLaunch : CpuLaunch
    {
        readonly ContractionKernel owner;
        readonly Contraction? engine;
        readonly MatrixContraction? tileEngine;
        readonly Workers workers;
        readonly nint* addresses;
        readonly (int Buffer, long Offset) left, right, result;
        readonly long leftEnd, rightEnd;             // of buffers that are read by offsets, in bytes
        readonly BoundBlock?[] blocks;
        ContractionCall call;

        public ContractionLaunch(ContractionKernel owner, Func<Symbol, long> symbols, nint* addresses, Workers workers)
        {
            this.owner = owner;
            this.addresses = addresses;
            this.workers = workers;
            var form = owner.form;
            BoundBlock? Block(BlockProgram? program) => program is null ? null : new(program, symbols, addresses, workers.Count);
            blocks = [Block(owner.leftBlock), Block(owner.rightBlock), Block(owner.epilogue)];
            long blockScratch = blocks.Max(block => block?.ScratchBytes ?? 0);
            if (owner.tiles is { } product)
                tileEngine = new(product, blocks[0]?.Function, blocks[1]?.Function, blocks[2]?.Function, blockScratch)
                {
                    Tuned = TunedProducts.Current,
                };
            else engine =
                new(owner.isa, form.Result.DType, blocks[0]?.Function, blocks[1]?.Function, blocks[2]?.Function, blockScratch)
                {
                    Tuned = TunedProducts.Current,
                };

            call.Rows = ContractionForm.Count(form.Rows).Evaluate(symbols);
            call.Columns = ContractionForm.Count(form.Columns).Evaluate(symbols);
            call.Inner = ContractionForm.Count(form.Inner).Evaluate(symbols);
            call.BatchRank = form.Batch.Count;
            if (call.BatchRank > BatchAxes.Most)
                throw new KernelException("ASH0520",
                    $"a contraction has {call.BatchRank} batch axes that do not merge, but the CPU takes {BatchAxes.Most}.",
                    "reshape neighbouring batch axes into one.");
            for (int i = 0; i < call.BatchRank; i++)
                call.Batch[i] = new(form.Batch[i].Count.Evaluate(symbols), Step(owner.left?.Batch ?? owner.leftOffsets?.Batch, i),
                    Step(owner.right?.Batch ?? owner.rightOffsets?.Batch, i), Step(owner.result?.Batch, i));
            (call.Left, left) = View(owner.left);
            (call.Right, right) = View(owner.right);
            if (owner.leftOffsets is { } leftOffsets) (call.Left, left, call.LeftOffsets, leftEnd) = Offsets(leftOffsets);
            if (owner.rightOffsets is { } rightOffsets) (call.Right, right, call.RightOffsets, rightEnd) = Offsets(rightOffsets);
            (call.Result, result) = View(owner.result);
            engine?.Prepare(call, workers.Count);

            long Step(Extent[]? batch, int axis) => batch?[axis].Evaluate(symbols) ?? 0;

            (MatrixView, (int, long), OffsetView, long) Offsets(AffineOperand operand)
            {
                var dtype = operand.Buffer.DType;
                var view = operand.Bind(symbols);
                return (new(0, dtype, 0, 0),
                    (owner.buffers.ToList().IndexOf(operand.Buffer), operand.Offset.Evaluate(symbols) * dtype.Bytes), view,
                    view.Elements * dtype.Bytes);
            }

            (MatrixView, (int, long)) View(StridedOperand? operand)
            {
                if (operand is null) return (new(0, form.Result.DType, 0, 0), (-1, 0));
                int place = owner.buffers.ToList().IndexOf(operand.Buffer);
                return (new(0, operand.Buffer.DType, operand.RowStride.Evaluate(symbols), operand.ColumnStride.Evaluate(symbols)),
                    (place, operand.Offset.Evaluate(symbols) * operand.Buffer.DType.Bytes));
            }
        }

        public override long ScratchBytes =>
            tileEngine?.ScratchBytes(in call, workers.Count) ?? engine!.ScratchBytes * workers.Count;

        public override void Run(byte* scratch)
        {
            if (left.Buffer >= 0) call.Left = call.Left with { Data = addresses[left.Buffer] + (nint)left.Offset };
            if (right.Buffer >= 0) call.Right = call.Right with { Data = addresses[right.Buffer] + (nint)right.Offset };
            if (call.LeftOffsets is not null) call.LeftEnd = addresses[left.Buffer] + (nint)leftEnd;
            if (call.RightOffsets is not null) call.RightEnd = addresses[right.Buffer] + (nint)rightEnd;
            if (result.Buffer >= 0) call.Result = call.Result with { Data = addresses[result.Buffer] + (nint)result.Offset };
            foreach (var block in blocks) block?.Clear();
            if (tileEngine is not null) tileEngine.Run(in call, workers, scratch);
            else engine!.Run(in call, workers, scratch);
            foreach (var block in blocks) block?.ThrowIfFailed();
        }
    }
}
