using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tests.Graph;
using Ashlar.Tiles;

namespace Ashlar.Tests.Cpu;

/// <summary>Runs lowered tile programs over buffers that end where memory ends.</summary>
static unsafe class LoweringRun
{
    /// <summary>Runs a program on one path, its grids cut in parts that run last part first; the values of written buffers
    /// change.</summary>
    public static void Run(TileProgram program, Isa isa, double[][] buffers, Func<Symbol, long>? symbols = null, int parts = 1,
        LoweringOptions? options = null)
    {
        symbols ??= _ => throw new InvalidOperationException("no symbols");
        var (kernel, entries) = Compiled(program, isa, options);
        var memories = new List<GuardedMemory>();
        nint* addresses = stackalloc nint[buffers.Length + 1];
        bool aligned = Streams(program.Body);
        for (int i = 0; i < buffers.Length; i++)
        {
            var dtype = program.Buffers[i].DType;
            long bytes = (long)buffers[i].Length * dtype.Bytes;
            memories.Add(new(aligned ? (bytes + 63) / 64 * 64 : bytes));
            addresses[i] = (nint)memories[i].Pointer;
            for (int k = 0; k < buffers[i].Length; k++) Write(addresses[i], k, dtype, buffers[i][k]);
        }
        Run(kernel, entries, addresses, symbols, parts);
        for (int i = 0; i < buffers.Length; i++)
        {
            for (int k = 0; k < buffers[i].Length; k++) buffers[i][k] = Read(addresses[i], k, program.Buffers[i].DType);
            memories[i].Dispose();
        }
    }

    static (LoweredKernel, KernelEntry[]) Compiled(TileProgram program, Isa isa, LoweringOptions? options)
    {
        if (options is null) return TileLowering.Compile(program, isa);
        var kernel = TileLowering.Lower(program, isa, options);
        return (kernel, [.. kernel.Phases.Select(phase => VecCompiler.Compile<KernelEntry>(phase.Function))]);
    }

    public static void Run(LoweredKernel kernel, KernelEntry[] entries, nint* buffers, Func<Symbol, long> symbols, int parts)
    {
        long[] sizes = [.. kernel.Sizes.Select(size => size.Evaluate(symbols)), 0];
        using var scratch = new GuardedMemory((kernel.ScratchBytes.Evaluate(symbols) + 63) / 64 * 64);
        using var shared = new GuardedMemory((kernel.SharedBytes.Evaluate(symbols) + 63) / 64 * 64);
        *(long*)scratch.Pointer = 0;
        *(long*)((byte*)scratch.Pointer + ScratchHeader.SharedAt) = (long)shared.Pointer;
        fixed (long* s = sizes)
        {
            for (int phase = 0; phase < entries.Length; phase++)
            {
                long grid = kernel.Phases[phase].Grid(symbols);
                for (int part = parts - 1; part >= 0; part--)
                    entries[phase](buffers, s, grid * part / parts, grid * (part + 1) / parts, (byte*)scratch.Pointer);
            }
        }
        if (kernel.ErrorOf(*(ScratchHeader*)scratch.Pointer) is { } error) throw error;
    }

    static bool Streams(IEnumerable<Statement> body) => body.Any(statement => statement switch
    {
        For loop => Streams(loop.Body),
        Ashlar.Tiles.If branch => Streams(branch.Body),
        Ashlar.Tiles.Store store => store.Streaming,
        _ => false,
    });

    public static void Write(nint memory, long k, DType dtype, double value)
    {
        switch (dtype)
        {
            case DType.Bool or DType.UInt8: ((byte*)memory)[k] = (byte)value; break;
            case DType.Int8: ((sbyte*)memory)[k] = (sbyte)value; break;
            case DType.Int16: ((short*)memory)[k] = (short)value; break;
            case DType.Int32: ((int*)memory)[k] = (int)value; break;
            case DType.Int64: ((long*)memory)[k] = (long)value; break;
            case DType.Float16: ((Half*)memory)[k] = (Half)value; break;
            case DType.BFloat16: ((BFloat16*)memory)[k] = (BFloat16)value; break;
            case DType.Float32: ((float*)memory)[k] = (float)value; break;
            default: ((double*)memory)[k] = value; break;
        }
    }

    public static double Read(nint memory, long k, DType dtype) => dtype switch
    {
        DType.Bool or DType.UInt8 => ((byte*)memory)[k],
        DType.Int8 => ((sbyte*)memory)[k],
        DType.Int16 => ((short*)memory)[k],
        DType.Int32 => ((int*)memory)[k],
        DType.Int64 => ((long*)memory)[k],
        DType.Float16 => (double)((Half*)memory)[k],
        DType.BFloat16 => ((BFloat16*)memory)[k],
        DType.Float32 => ((float*)memory)[k],
        _ => ((double*)memory)[k],
    };

    /// <summary>Fails unless a program does on a path what the interpreter does, from random buffers.</summary>
    public static void AssertSame(TileProgram program, Isa isa, int seed = 1, Func<Symbol, long>? symbols = null,
        double tolerance = 2e-5, Func<TileBuffer, Random, double>? fill = null,
        LoweringOptions? options = null)
    {
        var random = new Random(seed);
        double[][] expected = [.. program.Buffers.Select(buffer =>
        {
            long count = buffer.Shape.Elements.Evaluate(symbols ?? (_ => 0));
            return Enumerable.Range(0, (int)count).Select(_ =>
                Conversion.Round(fill is null ? Any(buffer.DType, random) : fill(buffer, random), buffer.DType)).ToArray();
        })];
        double[][] actual = [.. expected.Select(values => (double[])values.Clone())];
        TileInterpreter.Run(program, program.Buffers.Zip(expected).ToDictionary(pair => pair.First, pair => pair.Second), symbols,
            roundFloats: true);
        Run(program, isa, actual, symbols, parts: 1 + seed % 3, options);
        for (int i = 0; i < expected.Length; i++)
        {
            double limit = program.Buffers[i].DType switch { DType.BFloat16 => 8e-3, DType.Float16 => 2e-3, _ => tolerance };
            for (int k = 0; k < expected[i].Length; k++)
            {
                double e = expected[i][k], a = actual[i][k];
                bool same = e.Equals(a) || e == a || Math.Abs(e - a) <= limit * Math.Max(1, Math.Abs(e));
                Assert.True(same,
                    $"{isa.Name} {program.Name}: element {k} of {program.Buffers[i]} should be {e:R}, but is {a:R}\n{TileText.PrintNamed(program)}");
            }
        }
    }

    static double Any(DType dtype, Random random) => dtype switch
    {
        DType.Bool => random.Next(2),
        DType.UInt8 => random.Next(9),
        { IsFloat: false } => random.Next(-5, 6),
        _ => random.NextDouble() * 4 - 2,
    };
}
