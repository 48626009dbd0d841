using Ashlar.Backends.Cpu;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Tests.Cpu;

public sealed class GuardedGatherTests
{
    // The second of each pair is read one row below for the first: a lane that the guard rules out lies before the buffer.
    [Theory, InlineData(32), InlineData(33)]
    public void Lanes_TouchNoMemory_WhereTheGuardRulesThemOut(int tokens)
    {
        var x = Nodes.Parameter(0, DType.Float32, [tokens, 3, 64]);
        var cos = Nodes.Parameter(1, DType.Float32, [tokens, 32]);
        var sin = Nodes.Parameter(2, DType.Float32, [tokens, 32]);
        var function = new Function(new[] { x, cos, sin }.ToValueList(),
            new[] { Node.Of(Op.Rope, [x, cos, sin], new RopeAttributes(Interleaved: true)) }.ToValueList());
        var random = new Random(5);
        foreach (var launch in Pipelines.Compile(function, OptimizationLevel.O2).Launches)
        {
            var program = launch.Kernel.Program;
            double[][] arrays = [.. program.Buffers.Select(buffer =>
                Enumerable.Range(0, (int)buffer.Shape.Elements.Value).Select(_ => (double)(float)random.NextDouble()).ToArray())];
            double[][] expected = [.. arrays.Select(array => (double[])array.Clone())];
            TileInterpreter.RunFresh(program,
                [.. program.Buffers.Zip(expected, (buffer, data) => new Value(data, buffer.Shape.Values))], roundFloats: true);
            foreach (var isa in Isa.Available)
            {
                double[][] actual = [.. arrays.Select(array => (double[])array.Clone())];
                // Memory that must not be touched lies on both sides of each buffer.
                LoweringRun.Run(program, isa, actual, parts: 2);
                for (int i = 0; i < actual[^1].Length; i++) Assert.Equal(expected[^1][i], actual[^1][i], 1e-5);
            }
        }
    }
}
