using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Compiler.Kernels;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>The elementwise part of a contraction, compiled to run over any block of it.</summary>
sealed class BlockProgram
{
    /// <param name="program">From <see cref="ContractionForm"/>.</param>
    /// <param name="batch">The contraction's batch variables.</param>
    /// <param name="kernelBuffers">The buffers of the whole kernel.</param>
    /// <param name="blockFirst">The block's own buffer is the program's first; else its last.</param>
    /// <param name="isa">The instruction path.</param>
    public BlockProgram(TileProgram program, ValueList<LoopVariable> batch, IReadOnlyList<TileBuffer> kernelBuffers,
        bool blockFirst, Isa isa)
    {
        (Kernel, var entries) = TileLowering.Compile(program, isa);
        if (entries.Length != 1) throw new InvalidOperationException("a block program has one phase");
        Entry = entries[0];
        BlockPlace = blockFirst ? 0 : program.Buffers.Count - 1;
        Places = [.. program.Buffers.Select((buffer, i) => i == BlockPlace ? -1 : kernelBuffers.ToList().IndexOf(buffer))];
        BatchSymbols = [.. batch.Select(Block.Of)];
    }

    public LoweredKernel Kernel { get; }

    public KernelEntry Entry { get; }

    /// <summary>Which buffer is the block's.</summary>
    public int BlockPlace { get; }

    /// <summary>For each buffer its place among the kernel's; -1 for the block's.</summary>
    public int[] Places { get; }

    public Symbol[] BatchSymbols { get; }
}

/// <summary>A block program with its symbols bound, and memory for each worker's arguments.</summary>
sealed unsafe class BoundBlock
{
    readonly BlockProgram program;
    readonly nint* kernelAddresses;
    readonly Arguments[] workers;

    public BoundBlock(BlockProgram program, Func<Symbol, long> symbols, nint* kernelAddresses, int workers)
    {
        this.program = program;
        this.kernelAddresses = kernelAddresses;
        this.workers = new Arguments[workers];
        for (int i = 0; i < workers; i++) this.workers[i] = new(program, symbols);
        Function = Run;
    }

    /// <summary>Runs the program over one block.</summary>
    public BlockFunction Function { get; }

    /// <summary>Scratch that each call needs.</summary>
    public long ScratchBytes => Math.Max(ScratchHeader.Bytes, program.Kernel.ScratchBytes.Evaluate(workers[0].Read));

    /// <summary>Forgets the errors of an earlier run.</summary>
    public void Clear()
    {
        foreach (var worker in workers) worker.Error = default;
    }

    /// <summary>Throws the error of a checked index that was out of range.</summary>
    public void ThrowIfFailed()
    {
        foreach (var worker in workers)
            if (program.Kernel.ErrorOf(worker.Error) is { } error) throw error;
    }

    void Run(BlockPlace* place)
    {
        var arguments = workers[place->Worker];
        arguments.Place = place;
        nint* addresses = arguments.Addresses;
        for (int i = 0; i < program.Places.Length; i++)
            addresses[i] = program.Places[i] < 0 ? (nint)place->Data : kernelAddresses[program.Places[i]];
        var sizes = program.Kernel.Sizes;
        for (int i = 0; i < sizes.Count; i++) arguments.Sizes[i] = sizes[i].Evaluate(arguments.Read);
        bool checks = program.Kernel.Sites.Count > 0;
        if (checks) *(long*)place->Scratch = 0;
        program.Entry(addresses, arguments.Sizes, 0, place->Rows, place->Scratch);
        if (checks && arguments.Error.Site == 0) arguments.Error = *(ScratchHeader*)place->Scratch;
    }

    /// <summary>What one worker passes to the code.</summary>
    sealed class Arguments
    {
        readonly Symbol[] batch;
        readonly Func<Symbol, long> outer;

        public Arguments(BlockProgram program, Func<Symbol, long> symbols)
        {
            batch = program.BatchSymbols;
            outer = symbols;
            Read = ValueOf;
            Addresses = (nint*)NativeMemory.AllocZeroed((nuint)program.Places.Length + 1, (nuint)sizeof(nint));
            Sizes = (long*)NativeMemory.AllocZeroed((nuint)program.Kernel.Sizes.Count + 1, sizeof(long));
        }

        ~Arguments()
        {
            NativeMemory.Free(Addresses);
            NativeMemory.Free(Sizes);
        }

        public nint* Addresses { get; }

        public long* Sizes { get; }

        /// <summary>Evaluates a symbol at the block in hand; kept, so that calls allocate nothing.</summary>
        public Func<Symbol, long> Read { get; }

        public BlockPlace* Place { get; set; }

        public ScratchHeader Error { get; set; }

        long ValueOf(Symbol symbol)
        {
            if (ReferenceEquals(symbol, Block.FirstRow)) return Place is null ? 0 : Place->Row;
            if (ReferenceEquals(symbol, Block.FirstColumn)) return Place is null ? 0 : Place->Column;
            if (ReferenceEquals(symbol, Block.Rows)) return Place is null ? 0 : Place->Rows;
            if (ReferenceEquals(symbol, Block.Columns)) return Place is null ? 0 : Place->Columns;
            if (ReferenceEquals(symbol, Block.Stride)) return Place is null ? 0 : Place->Stride;
            int axis = Array.IndexOf(batch, symbol);
            return axis < 0 ? outer(symbol) : Place is null ? 0 : Place->Batch[axis];
        }
    }
}
