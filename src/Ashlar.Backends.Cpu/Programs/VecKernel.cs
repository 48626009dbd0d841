using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A kernel lowered to Vec functions that run over parts of its grid.</summary>
sealed class VecKernel : CpuKernel
{
    readonly LoweredKernel kernel;
    readonly KernelEntry[] entries;

    readonly Extent bytes;   // of all buffers

    public VecKernel(TileProgram program, Isa isa)
    {
        (kernel, entries) = TileLowering.Compile(program, isa);
        bytes = program.Buffers.Aggregate((Extent)0, (sum, buffer) => sum + buffer.Shape.Elements * buffer.DType.Bytes);
    }

    public override unsafe CpuLaunch Bind(Func<Symbol, long> symbols, nint* buffers, Workers workers) =>
        new VecLaunch(this, symbols, buffers, workers);

    sealed unsafe class VecLaunch : CpuLaunch
    {
        // Less than this, and waking another worker costs more than it saves: 16 KiB pass through a core in about a microsecond.
        const long SerialBytes = 16 << 10;

        // Parts per worker: enough that one disturbed worker does not hold up the rest.
        const int Parts = 8;

        readonly VecKernel owner;
        readonly Workers workers;
        readonly nint* buffers;
        readonly long[] sizes;        // pinned: the code reads it by address
        readonly long* sizesAddress;
        readonly long[] grids;
        readonly bool[] serial;
        readonly long workerBytes;
        readonly long sharedBytes;
        readonly Action<int, int> work;
        ChunkedRange range;
        int phase;
        byte* scratch;

        public VecLaunch(VecKernel owner, Func<Symbol, long> symbols, nint* buffers, Workers workers)
        {
            this.owner = owner;
            this.buffers = buffers;
            this.workers = workers;
            var kernel = owner.kernel;
            sizes = GC.AllocateArray<long>(kernel.Sizes.Count + 1, pinned: true);
            for (int i = 0; i < kernel.Sizes.Count; i++) sizes[i] = kernel.Sizes[i].Evaluate(symbols);
            sizesAddress = (long*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(sizes, 0);
            grids = [.. kernel.Phases.Select(part => part.Grid(symbols))];
            bool small = owner.bytes.Evaluate(symbols) < SerialBytes;
            serial = [.. grids.Select(grid => small || grid < 2)];
            workerBytes = Aligned(Math.Max(kernel.ScratchBytes.Evaluate(symbols), ScratchHeader.Bytes));
            sharedBytes = kernel.SharedBytes.Evaluate(symbols);
            work = Work;
        }

        public override long ScratchBytes => workerBytes * workers.Count + sharedBytes;

        public override void Run(byte* memory)
        {
            var kernel = owner.kernel;
            bool checks = kernel.Sites.Count > 0;
            if (checks)
                for (int worker = 0; worker < workers.Count; worker++) *(long*)(memory + worker * workerBytes) = 0;
            if (sharedBytes > 0)
                for (int worker = 0; worker < workers.Count; worker++)
                    *(long*)(memory + worker * workerBytes + ScratchHeader.SharedAt) =
                        (long)(memory + workers.Count * workerBytes);
            scratch = memory;
            for (phase = 0; phase < grids.Length; phase++)
            {
                long grid = grids[phase];
                if (grid == 0) continue;
                if (serial[phase] || workers.Count == 1)
                {
                    owner.entries[phase](buffers, sizesAddress, 0, grid, memory);
                    continue;
                }
                range = new(grid, kernel.Phases[phase].HasLongSteps ? 1 : Math.Max(1, grid / (workers.Count * Parts)));
                workers.Run(workers.Count, work);
            }
            if (!checks) return;
            for (int worker = 0; worker < workers.Count; worker++)
                if (kernel.ErrorOf(*(ScratchHeader*)(memory + worker * workerBytes)) is { } error) throw error;
        }

        void Work(int worker, int count)
        {
            var entry = owner.entries[phase];
            while (range.Take(out long begin, out long end))
                entry(buffers, sizesAddress, begin, end, scratch + worker * workerBytes);
        }
    }
}
