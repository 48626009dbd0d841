using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Tests.Compiler;

/// <summary>Whole functions on the processor against the interpreter: every level, every instruction path, one worker and
/// three.</summary>
public class CpuProgramTests
{
    static readonly Dictionary<(Isa, int), CpuBackend> backends = [];

    public static TheoryData<string, OptimizationLevel, Isa, int> Cases
    {
        get
        {
            var data = new TheoryData<string, OptimizationLevel, Isa, int>();
            foreach (string name in Programs.All.Keys)
                foreach (var level in Enum.GetValues<OptimizationLevel>())
                    foreach (var isa in Isa.Available)
                        data.Add(name, level, isa, level == OptimizationLevel.O2 ? 3 : 1);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Program_MatchesInterpreter(string name, OptimizationLevel level, Isa isa, int workers)
    {
        var function = Programs.All[name]();
        var arguments = Programs.Arguments(function, seed: 11);
        var expected = Interpreter.Run(function, arguments, Programs.Symbols);
        var actual = Run(Backend(isa, workers), function, arguments, level);
        for (int i = 0; i < expected.Length; i++)
            Programs.AssertClose(expected[i], actual[i], Programs.Tolerance(name), $"{name} result {i}");
    }

    [Theory, InlineData(OptimizationLevel.O0), InlineData(OptimizationLevel.O2)]
    public void Gather_Throws_WhenAnIndexIsOutOfRange(OptimizationLevel level)
    {
        Node table = Programs.P(0, 4, 3), ids = Programs.I(1, 100, 2);
        var function = Programs.F([table, ids], Nodes.Gather(table, Nodes.Broadcast(Nodes.Reshape(ids, [2, 1]), [2, 3]), 0));
        var error = Assert.Throws<KernelException>(() =>
            Run(Backend(Isa.Chosen, 1), function, [Value.Zeros([4, 3]), new([1, 4], [2])], level));
        Assert.Contains("4", error.Message, StringComparison.Ordinal);
    }

    internal static CpuBackend Backend(Isa isa, int workers)
    {
        lock (backends)
        {
            if (!backends.TryGetValue((isa, workers), out var backend))
                backends[(isa, workers)] = backend = new(isa, new Workers(workers));
            return backend;
        }
    }

    internal static Value[] Run(CpuBackend backend, Function function, Value[] arguments, OptimizationLevel level,
        Func<Symbol, long>? symbols = null)
    {
        symbols ??= Programs.Symbols;
        var program = backend.Compile(function, new(level));
        var inputs = new Buffer[arguments.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            inputs[i] = backend.Allocate(arguments[i].Data.Length * (long)function.Parameters[i].DType.Bytes);
            Storage.Store(arguments[i].Data, function.Parameters[i].DType, inputs[i]);
        }
        var outputs = function.Results.Select(result =>
            backend.Allocate(result.Shape.Elements.Evaluate(symbols) * result.DType.Bytes)).ToArray();
        program.Run(inputs, outputs, program.Symbols.Select(symbols).ToArray());
        return [.. function.Results.Select((result, i) =>
        {
            long[] extents = [.. result.Shape.Select(extent => extent.Evaluate(symbols))];
            return Storage.Load(outputs[i], result.DType, extents);
        })];
    }
}
