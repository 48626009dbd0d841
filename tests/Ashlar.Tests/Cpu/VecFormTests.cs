using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Tests.Cpu;

public unsafe class VecFormTests
{
    public static TheoryData<string> Paths => VecRun.Paths;

    static VecFunction Axpy(Isa isa)
    {
        var f = VecBuilder.Kernel("axpy", isa);
        int lanes = f.LanesOf(Elem.F32);
        var type = new VecType(Elem.F32, lanes);
        Reg x = f.Buffer(0), y = f.Buffer(1);
        var two = f.Const(type, 2);
        f.Loop(f.Begin, f.End, lanes, i =>
        {
            var at = VecBuilder.At(y, i * 4);
            f.Store(at, DType.Float32,
                f.Fma(f.Load(type, DType.Float32, VecBuilder.At(x, i * 4)), two, f.Load(type, DType.Float32, at)));
        });
        return f.Build();
    }

    [Fact]
    public void Text_IsOneInstructionALine() => Assert.Equal("""
        vec axpy portable (buffers, sizes, begin, end, scratch) {
          %buffers.0: s64 = parameter 0
          %sizes.1: s64 = parameter 1
          %begin.2: s64 = parameter 2
          %end.3: s64 = parameter 3
          %scratch.4: s64 = parameter 4
          %7: f32x4 = 2
          %9: s64 = 4
          %10: s64 = 2
          %5: s64 = load.i64 [%buffers.0]
          %6: s64 = load.i64 [%buffers.0 + 8]
          loop %i.8 = %begin.2 .. %end.3 step 4 {
            %11: s64 = shl %i.8 %10
            %12: s64 = shl %i.8 %10
            %13: f32x4 = load.f32 [%5 + %12]
            %14: f32x4 = load.f32 [%6 + %11]
            %15: f32x4 = fma %13 %7 %14
            store.f32 [%6 + %11], %15
          }
        }

        """.ReplaceLineEndings("\n"), Axpy(Isa.Portable).ToString());

    [Fact]
    public void Verifier_RejectsUse_WhenNothingWasSet()
    {
        var f = VecBuilder.Kernel("bad", Isa.Portable);
        var unset = f.Var(VecType.Scalar);
        f.Store(VecBuilder.At(f.Buffer(0)), DType.Int64, unset);
        Assert.Contains("has no value here", Assert.Throws<KernelException>(f.Build).Message);
    }

    [Fact]
    public void Verifier_RejectsUse_WhenOnlyALoopSetIt()
    {
        var f = VecBuilder.Kernel("bad", Isa.Portable);
        var inside = f.Var(VecType.Scalar);
        f.Loop(f.Begin, f.End, 1, i => f.Assign(inside, i));
        f.Store(VecBuilder.At(f.Buffer(0)), DType.Int64, inside);
        Assert.Throws<KernelException>(f.Build);
    }

    [Theory]
    [InlineData("types that differ")]
    [InlineData("a register too wide")]
    [InlineData("storage of another kind")]
    [InlineData("a mask the path lacks")]
    [InlineData("an instruction the path lacks")]
    [InlineData("a counter that is set")]
    [InlineData("a stream of half a register")]
    public void Verifier_RejectsWhatIsNotWellFormed(string what)
    {
        var f = VecBuilder.Kernel("bad", Isa.Avx2);
        var four = f.Const(new VecType(Elem.F32, 4), 1);
        var at = VecBuilder.At(f.Scratch);
        switch (what)
        {
            case "types that differ": f.Binary(VecOp.Add, four, f.Const(new VecType(Elem.F32, 8), 1)); break;
            case "a register too wide": f.Load(new VecType(Elem.F64, 16), DType.Float64, at); break;
            case "storage of another kind": f.Load(new VecType(Elem.F32, 8), DType.Int32, at); break;
            case "a mask the path lacks": f.Store(at, DType.Float16, four, f.FirstLanes(four.Type, f.Const(2))); break;
            case "an instruction the path lacks": f.Binary(VecOp.Scalef, four, four); break;
            case "a counter that is set": f.Loop(f.Begin, f.End, 1, i => f.Assign(i, f.Begin)); break;
            default: f.Store(at, DType.Float32, f.Lower(four), stream: true); break;
        }
        Assert.Equal("ASH0550", Assert.Throws<KernelException>(f.Build).Code);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Compiler_RefusesAFunctionThatRunsUnoptimised(string path)
    {
        var f = VecBuilder.Kernel("huge", VecRun.Parse(path));
        var type = new VecType(Elem.F32, 4);
        var sum = f.Var(f.Const(type, 0));
        var at = VecBuilder.At(f.Scratch);
        for (int i = 0; i < 3000; i++) f.Assign(sum, sum + f.Load(type, DType.Float32, at));
        f.Store(at, DType.Float32, sum);
        Assert.Equal("ASH0551", Assert.Throws<KernelException>(() => VecCompiler.Compile<KernelEntry>(f.Build())).Code);
    }

    // Every masked access of every storage type, against pages that fault: the elements end where memory ends, or begin where it
    // begins and the first are masked out.
    [Theory, MemberData(nameof(Paths))]
    public void MaskedAccess_NeverTouchesUnsetLanes(string path)
    {
        var isa = VecRun.Parse(path);
        using var fence = new GuardedPage();
        byte* copied = stackalloc byte[64];
        nint* buffers = stackalloc nint[3];
        foreach (var storage in DTypes.All)
            foreach (int lanes in VecRun.LanesOf(isa, VecType.ElemOf(storage)))
            {
                var type = VecType.Of(storage, lanes);
                if (!VecVerifier.CanMask(isa, type, storage)) continue;
                var f = VecBuilder.Kernel("masked", isa);
                var mask = f.FirstLanes(type, f.Argument(2));
                var last =
                    f.Compare(VecOp.Ge, f.Iota(type.With(VecType.ElemOf(storage) is Elem.F64 or Elem.I64 ? Elem.I64 : Elem.I32)),
                    f.Splat(type.With(type.ElemBytes == 8 ? Elem.I64 : Elem.I32), f.Argument(2)));
                var copy = f.Load(type, storage, VecBuilder.At(f.Buffer(0)), mask);
                f.Store(VecBuilder.At(f.Buffer(0)), storage, copy, mask);
                f.Store(VecBuilder.At(f.Buffer(2)), storage, copy);
                f.Store(VecBuilder.At(f.Buffer(1)), storage, f.Load(type, storage, VecBuilder.At(f.Buffer(1)), last), last);
                var entry = VecCompiler.Compile<KernelEntry>(f.Build());
                for (int n = 0; n <= lanes; n++)
                {
                    int bytes = n * storage.Bytes;
                    new Span<byte>((void*)fence.Begin, 64).Fill(1);
                    new Span<byte>((void*)(fence.End - 64), 64).Fill(1);
                    (buffers[0], buffers[1], buffers[2]) = (fence.End - bytes, fence.Begin - bytes, (nint)copied);
                    entry(buffers, null, n, 0, null);
                    var read = new Span<byte>(copied, lanes * storage.Bytes);
                    Assert.True(read[..bytes].IndexOfAnyExcept((byte)1) < 0,
                        $"{storage.Name}x{lanes}: the first {n} lanes are read");
                    Assert.True(read[bytes..].IndexOfAnyExcept((byte)0) < 0, $"{storage.Name}x{lanes}: lanes after {n} are zero");
                }
            }
    }

    // Whether a value waits on the stack or in a local must not show. Random programs of scalars and memory, against an
    // interpreter.
    [Fact]
    public void Emitter_KeepsMeaning_OfRandomPrograms()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            var f = VecBuilder.Kernel("random", Isa.Portable);
            var memory = f.Buffer(0);
            List<Reg> values = [f.Const(3), f.Const(-5), f.Begin];
            List<Reg> variables = [];
            for (int i = 0; i < 3; i++) variables.Add(f.Var(f.Const(i)));
            Write(40, 0);
            foreach (var v in variables) f.Store(VecBuilder.At(memory, 8 * random.Next(8)), DType.Int64, v);
            var function = f.Build();

            long[] actual = new long[8], expected = new long[8];
            for (int i = 0; i < 8; i++) actual[i] = expected[i] = i * 11 - 20;
            VecRun.Run(function, 2, 6, [], actual);
            new Interpreter(expected).Run(function, 2, 6);
            Assert.True(expected.AsSpan().SequenceEqual(actual),
                $"seed {seed}: {string.Join(' ', expected)} against {string.Join(' ', actual)}\n{function}");

            void Write(int count, int depth)
            {
                int known = values.Count;
                for (int i = 0; i < count; i++)
                {
                    Reg a = Pick(), b = Pick();
                    switch (random.Next(10))
                    {
                        case < 4:
                            values.Add(f.Binary(new[] { VecOp.Add, VecOp.Sub, VecOp.Mul, VecOp.Xor,
                            VecOp.Min }[random.Next(5)], a, b)); break;
                        case 4: values.Add(f.Load(VecType.Scalar, DType.Int64, VecBuilder.At(memory, 8 * random.Next(8)))); break;
                        case 5: f.Store(VecBuilder.At(memory, 8 * random.Next(8)), DType.Int64, a); break;
                        case 6 or 7: f.Assign(variables[random.Next(3)], a); break;
                        case 8 when depth < 3:
                            f.Loop(f.Const(0), f.Const(random.Next(4)), 1, i =>
                            { values.Add(i); Write(8, depth + 1); values.Remove(i); }); break;
                        case 9 when depth < 3:
                            f.If(f.Compare(VecOp.Lt, a, b), () => Write(6, depth + 1),
                            () => Write(6, depth + 1)); break;
                    }
                }
                if (depth > 0) values.RemoveRange(known, values.Count - known);
            }

            Reg Pick() => random.Next(3) == 0 ? variables[random.Next(3)] : values[^(1 + random.Next(Math.Min(values.Count, 8)))];
        }
    }

    sealed class Interpreter(long[] memory)
    {
        readonly Dictionary<int, long> regs = [];

        public void Run(VecFunction function, long begin, long end)
        {
            (regs[2], regs[3]) = (begin, end);
            foreach (var instruction in function.Body.Where(i => i is not Set { Value: Parameter })) One(instruction);
        }

        void One(Instruction instruction)
        {
            switch (instruction)
            {
                case Set { Value: Load { At.Pointer.Id: 0 } }: break;   // the address of the memory
                case Set set: regs[set.Target.Id] = Value(set.Value); break;
                case Store store: memory[store.At.Displacement / 8] = regs[store.Value.Id]; break;
                case Loop loop:
                    for (long i = regs[loop.Begin.Id]; i < regs[loop.End.Id]; i += loop.Step)
                    {
                        regs[loop.Counter.Id] = i;
                        foreach (var inner in loop.Body) One(inner);
                    }
                    break;
                case If branch:
                    foreach (var inner in regs[branch.Condition.Id] != 0 ? branch.Then : branch.Else) One(inner);
                    break;
            }
        }

        long Value(Operation operation) => unchecked(operation switch
        {
            Constant c => c.Bits,
            Load l => memory[l.At.Displacement / 8],
            Compute { Op: VecOp.Copy } c => regs[c.A!.Id],
            Compute { Op: VecOp.Add } c => regs[c.A!.Id] + regs[c.B!.Id],
            Compute { Op: VecOp.Sub } c => regs[c.A!.Id] - regs[c.B!.Id],
            Compute { Op: VecOp.Mul } c => regs[c.A!.Id] * regs[c.B!.Id],
            Compute { Op: VecOp.Shl } c => regs[c.A!.Id] << (int)regs[c.B!.Id],
            Compute { Op: VecOp.Xor } c => regs[c.A!.Id] ^ regs[c.B!.Id],
            Compute { Op: VecOp.Min } c => Math.Min(regs[c.A!.Id], regs[c.B!.Id]),
            Compute { Op: VecOp.Lt } c => regs[c.A!.Id] < regs[c.B!.Id] ? 1 : 0,
            _ => throw new NotSupportedException(operation.ToString()),
        });
    }
}

/// <summary>One page of memory between two that fault when touched.</summary>
sealed partial class GuardedPage : IDisposable
{
    const int Page = 4096;
    readonly nint map = MemoryMap(0, 3 * Page, 3, 0x22, -1, 0);   // read and write; private, anonymous

    public GuardedPage()
    {
        Assert.NotEqual(-1, map);
        Assert.Equal(0, MemoryProtect(map, Page, 0));
        Assert.Equal(0, MemoryProtect(map + 2 * Page, Page, 0));
    }

    public nint Begin => map + Page;

    public nint End => map + 2 * Page;

    public void Dispose() => MemoryUnmap(map, 3 * Page);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MemoryMap(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int MemoryProtect(nint address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int MemoryUnmap(nint address, nint length);
}
