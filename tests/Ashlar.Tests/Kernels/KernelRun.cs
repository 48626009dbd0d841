using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Graph;
using Ashlar.Tests.Cpu;
using Ashlar.Tiles;

namespace Ashlar.Tests.Kernels;

/// <summary>Runs kernels of the language on every path and compares with the interpreter.</summary>
static class KernelRun
{
    /// <summary>Sizes around vectors and tiles.</summary>
    public static readonly int[] Ragged = [1, 7, 15, 16, 17, 63, 64, 65];

    /// <summary>Fails unless the kernel gives on every path what the interpreter gives, for inputs of these shapes.</summary>
    public static void AssertSame(Kernel kernel, params Shape[] shapes) => AssertSame(kernel, 2e-5, null, shapes);

    public static void AssertSame(Kernel kernel, double tolerance, Func<TileBuffer, Random, double>? fill, params Shape[] shapes)
    {
        var inputs = kernel.Program.Buffers.Where(buffer => !buffer.Written).Zip(shapes,
            (buffer, shape) => new NodeType(buffer.DType, shape)).ToArray();
        var program = kernel.For(inputs).Program;
        Assert.Equal(TileText.Print(program), TileText.Print(TileText.Parse(TileText.Print(program))));
        var random = new Random(3);
        double[][] arrays = [.. program.Buffers.Select(buffer => Enumerable.Range(0, (int)buffer.Shape.Elements.Value)
            .Select(_ => Conversion.Round(buffer.Written ? 0 : fill is null ? buffer.DType.IsFloat ? random.NextDouble() * 4 - 2
                : random.Next(0, 5) : fill(buffer, random), buffer.DType)).ToArray())];
        double[][] expected = [.. arrays.Select(array => (double[])array.Clone())];
        TileInterpreter.RunFresh(program,
            [.. program.Buffers.Zip(expected, (buffer, data) => new Value(data, buffer.Shape.Values))], roundFloats: true);
        foreach (var isa in Isa.Available)
        {
            double[][] actual = [.. arrays.Select(array => (double[])array.Clone())];
            LoweringRun.Run(program, isa, actual, parts: 2);
            for (int i = 0; i < actual.Length; i++)
            {
                double limit = program.Buffers[i].DType switch { DType.BFloat16 => 1e-2, DType.Float16 => 3e-3, _ => tolerance };
                for (int k = 0; k < actual[i].Length; k++)
                {
                    double e = expected[i][k], a = actual[i][k];
                    Assert.True(e.Equals(a) || e == a || Math.Abs(e - a) <= limit * Math.Max(1, Math.Abs(e)),
                        $"{isa.Name} {program.Name}: element {k} of {program.Buffers[i]} should be {e:R}, but is "
                        + $"{a:R}\n{TileText.PrintNamed(program)}");
                }
            }
        }
    }
}
