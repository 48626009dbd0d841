using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Lowering;

namespace Ashlar.Tests.Cpu;

public class RowFoldsTests
{
    [Fact]
    public unsafe void Rows_AreFoldedEachByItself_HalvesFirst()
    {
        if (!Avx512F.IsSupported) return;
        const int rows = 32;
        var random = new Random(5);
        float[] lanes = [.. Enumerable.Range(0, rows * 16).Select(_ => random.NextSingle() * 4 - 2)];
        lanes[3 * 16 + 7] = float.NaN;
        lanes[20 * 16] = float.PositiveInfinity;
        lanes[21 * 16 + 15] = float.NegativeInfinity;
        float[] sums = new float[rows], greatest = new float[rows], least = new float[rows];
        fixed (float* from = lanes, s = sums, g = greatest, l = least)
        {
            RowFolds.Sum((nint)from, (nint)s, rows);
            RowFolds.Max((nint)from, (nint)g, rows);
            RowFolds.Min((nint)from, (nint)l, rows);
        }
        for (int row = 0; row < rows; row++)
        {
            var own = lanes[(row * 16)..(row * 16 + 16)];
            Assert.Equal(Folded(own, (a, b) => a + b), sums[row]);
            Assert.Equal(Folded(own, MathF.Max), greatest[row]);
            Assert.Equal(Folded(own, MathF.Min), least[row]);
        }

        static float Folded(float[] lanes, Func<float, float, float> join)
        {
            lanes = [.. lanes];
            for (int half = 8; half > 0; half /= 2)
                for (int i = 0; i < half; i++) lanes[i] = join(lanes[i], lanes[i + half]);
            return lanes[0];
        }
    }
}
