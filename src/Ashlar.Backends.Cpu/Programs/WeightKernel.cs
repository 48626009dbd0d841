using Ashlar.Backends.Cpu.Weights;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A kernel over packed weights: products with them, or some of their rows.</summary>
sealed class WeightKernel(TileProgram program, Isa isa, bool usesTiles) : CpuKernel
{
    readonly Whole whole = (Whole)program.Body[0];

    WeightProduct Product(in WeightCall call) => WeightProducts.Choose(call, isa, usesTiles);

    /// <summary>True for the programs that this kernel runs.</summary>
    public static bool Takes(TileProgram program) => program.Body is [Whole];

    public override unsafe CpuLaunch Bind(Func<Symbol, long> symbols, nint* addresses, Workers workers)
    {
        var target = whole.Target.Shape.Elements.Evaluate(symbols);
        return whole.Op == Op.WeightRows ? new RowsLaunch(this, target / whole.Weight.Columns, addresses, workers)
            : new ProductLaunch(this, target / whole.Weight.Outputs, addresses, workers);
    }

    int Place(TileBuffer buffer) => program.Buffers.IndexOf(buffer);

    sealed unsafe class ProductLaunch : CpuLaunch
    {
        readonly WeightKernel owner;
        readonly WeightProduct product;
        readonly nint* addresses;
        readonly Workers workers;
        readonly WeightCall call;

        public ProductLaunch(WeightKernel owner, long rows, nint* addresses, Workers workers)
        {
            this.owner = owner;
            this.addresses = addresses;
            this.workers = workers;
            var whole = owner.whole;
            call = new(whole.Weight, rows, whole.Inputs[0].DType);
            product = owner.Product(call);
        }

        public override long ScratchBytes => product.ScratchBytes(call, workers.Count);

        public override void Run(byte* scratch)
        {
            var inputs = owner.whole.Inputs;
            product.Run(call with
            {
                X = addresses[owner.Place(inputs[0])],
                Data = addresses[owner.Place(inputs[1])],
                Experts = inputs.Count > 2 ? addresses[owner.Place(inputs[2])] : 0,
                Y = addresses[owner.Place(owner.whole.Target)],
            }, workers, scratch);
        }
    }

    sealed unsafe class RowsLaunch : CpuLaunch
    {
        readonly WeightKernel owner;
        readonly long count;
        readonly nint* addresses;
        readonly Workers workers;
        readonly Action<int, int> work;

        public RowsLaunch(WeightKernel owner, long count, nint* addresses, Workers workers)
        {
            (this.owner, this.count, this.workers) = (owner, count, workers);
            this.addresses = addresses;
            work = Work;
        }

        public override long ScratchBytes => 0;

        public override void Run(byte* scratch)
        {
            var weight = owner.whole.Weight;
            int* indices = (int*)addresses[owner.Place(owner.whole.Inputs[1])];
            for (long i = 0; i < count; i++)
                if ((uint)indices[i] >= weight.Count * weight.Rows)
                    throw new KernelException("ASH0646",
                        $"WeightRows met the index {indices[i]}, but the weight has {weight.Count * weight.Rows} to choose from.",
                        "check the indices; they count from 0.");
            workers.Run(count * weight.Columns < 1 << 14 ? 1 : workers.Count, work);
        }

        void Work(int worker, int parts)
        {
            var whole = owner.whole;
            var layout = whole.Weight.Layout;
            byte* data = (byte*)addresses[owner.Place(whole.Inputs[0])];
            int* indices = (int*)addresses[owner.Place(whole.Inputs[1])];
            float* to = (float*)addresses[owner.Place(whole.Target)];
            var (first, end) = EvenRange.Of(count, worker, parts);
            for (long i = first; i < end; i++)
            {
                var (matrix, row) = Math.DivRem(indices[i], layout.Rows);
                WeightDecoding.Row(layout, data + matrix * layout.Bytes, row, to + i * layout.Columns);
            }
        }
    }
}
