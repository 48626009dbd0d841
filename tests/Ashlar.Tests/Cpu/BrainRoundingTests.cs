using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Cpu;

public class BrainRoundingTests
{
    // Odd lengths: whole loops of four vectors, whose stores join in pairs, single vectors, and a partial one.
    [Theory]
    [InlineData(1)]
    [InlineData(33)]
    [InlineData(64)]
    [InlineData(1000)]
    public void Stores_OfComputedNumbers_RoundToNearestEven(int n)
    {
        var kernel = Kernel.Define("brain_rounding", k =>
        {
            var x = k.Input("x", "N");
            var (y, z, sum) = (k.Output("y", DType.BFloat16, "N"), k.Output("z", DType.BFloat16, "N"), k.Output("sum", "N"));
            var i = k.Grid(("N", 512));
            y[i] = x[i] * 2f;
            z[i] = x[i] * -0.5f;
            sum[i] = x[i] + Cast(Cast(x[i] * 2f, DType.BFloat16), DType.Float32);
        });
        int[] patterns =
            [0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0x7f7f8000, 0x00018000, 0x007fffff, 0x00000001];
        double[] special = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 0, -0.0,
            .. patterns.Select(bits => (double)BitConverter.Int32BitsToSingle(bits))];
        var random = new Random(1);
        double[] x = [.. Enumerable.Range(0, n).Select(i => i % 3 == 0 ? special[i / 3 % special.Length]
            : Conversion.Round((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-20, 20)), DType.Float32))];
        var program = kernel.For(new NodeType(DType.Float32, (int[])[n])).Program;
        foreach (var isa in Isa.Available)
        {
            double[][] arrays = [(double[])x.Clone(), new double[n], new double[n], new double[n]];
            LoweringRun.Run(program, isa, arrays);
            for (int i = 0; i < n; i++)
            {
                double twice = Conversion.Round(Conversion.Round(x[i] * 2, DType.Float32), DType.BFloat16),
                    half = Conversion.Round(Conversion.Round(x[i] * -0.5, DType.Float32), DType.BFloat16);
                Assert.True(twice.Equals(arrays[1][i]), $"{isa.Name}: {x[i]:R} twice is {twice:R}, not {arrays[1][i]:R}");
                Assert.True(half.Equals(arrays[2][i]), $"{isa.Name}: half of -{x[i]:R} is {half:R}, not {arrays[2][i]:R}");
                double all = Conversion.Round(x[i] + twice, DType.Float32);
                Assert.True(all.Equals(arrays[3][i]), $"{isa.Name}: sum {i} is {all:R}, not {arrays[3][i]:R}");
            }
        }
    }
}
