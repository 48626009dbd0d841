using System.Runtime.CompilerServices;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Rows of float32 times a decoded panel, on vectors of one width: what runs where there are no byte products and no
/// tiles.</summary>
static unsafe class FloatRows<TWidth, TVector>
    where TWidth : struct, IVectorWidth<TVector>
    where TVector : unmanaged
{
    /// <summary>Adds the products of an inner block to the sums of a panel.</summary>
    /// <param name="rows">How many rows.</param>
    /// <param name="inner">Inputs of the block.</param>
    /// <param name="x">[rows, inner] with rows <paramref name="stride"/> elements apart.</param>
    /// <param name="w">[inner, 32]</param>
    /// <param name="sums">[rows, 32], contiguous.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(long rows, long inner, float* x, long stride, float* w, float* sums)
    {
        int lanes = sizeof(TVector) / sizeof(float);
        for (long row = 0; row < rows; row += 4)
        {
            // Rows beyond the last repeat it: they load and store the same sums.
            long r1 = Math.Min(row + 1, rows - 1), r2 = Math.Min(row + 2, rows - 1), r3 = Math.Min(row + 3, rows - 1);
            float* x0 = x + row * stride, x1 = x + r1 * stride, x2 = x + r2 * stride, x3 = x + r3 * stride;
            for (int at = 0; at < WeightLayout.PanelSide; at += 2 * lanes)
            {
                float* y0 = sums + row * 32 + at, y1 = sums + r1 * 32 + at, y2 = sums + r2 * 32 + at, y3 = sums + r3 * 32
                    + at, b = w + at;
                TVector s00 = TWidth.Load(y0), s01 = TWidth.Load(y0 + lanes), s10 = TWidth.Load(y1),
                    s11 = TWidth.Load(y1 + lanes);
                TVector s20 = TWidth.Load(y2), s21 = TWidth.Load(y2 + lanes), s30 = TWidth.Load(y3),
                    s31 = TWidth.Load(y3 + lanes);
                for (long k = 0; k < inner; k++, b += WeightLayout.PanelSide)
                {
                    TVector b0 = TWidth.Load(b), b1 = TWidth.Load(b + lanes), a = TWidth.Fill(x0[k]);
                    s00 = TWidth.MultiplyAdd(a, b0, s00);
                    s01 = TWidth.MultiplyAdd(a, b1, s01);
                    a = TWidth.Fill(x1[k]);
                    s10 = TWidth.MultiplyAdd(a, b0, s10);
                    s11 = TWidth.MultiplyAdd(a, b1, s11);
                    a = TWidth.Fill(x2[k]);
                    s20 = TWidth.MultiplyAdd(a, b0, s20);
                    s21 = TWidth.MultiplyAdd(a, b1, s21);
                    a = TWidth.Fill(x3[k]);
                    s30 = TWidth.MultiplyAdd(a, b0, s30);
                    s31 = TWidth.MultiplyAdd(a, b1, s31);
                }
                TWidth.Store(s00, y0); TWidth.Store(s01, y0 + lanes);
                TWidth.Store(s10, y1); TWidth.Store(s11, y1 + lanes);
                TWidth.Store(s20, y2); TWidth.Store(s21, y2 + lanes);
                TWidth.Store(s30, y3); TWidth.Store(s31, y3 + lanes);
            }
        }
    }
}
