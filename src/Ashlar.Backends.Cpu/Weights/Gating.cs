using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>What a gate lets pass: of each panel of 32 columns 16 are the gate, and 16 remain.</summary>
static unsafe class Gating
{
    const int Tile = WeightLayout.TileSide, Panel = WeightLayout.PanelSide;
    const float Log2E = 1.44269504f, RootOf2OverPi = 0.7978845608f, Cubic = 0.044715f;   // arXiv:1606.08415

    /// <summary>Some panels of one row.</summary>
    /// <param name="gate">The function.</param>
    /// <param name="sums">Float32 [panels, 32]; anywhere.</param>
    /// <param name="panels">How many.</param>
    /// <param name="to">Gets float32 [panels, 16].</param>
    /// <param name="past">Stores past the caches, at a multiple of 64; the caller lets a fence follow.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Row(WeightGate gate, float* sums, long panels, float* to, bool past)
    {
        for (float* end = to + panels * Tile; to < end; to += Tile, sums += Panel)
        {
            var x = Vector512.Load(sums);
            // The logistic function's argument: gelu's 1/2 (1 + tanh u) is that of 2 u.
            var z = gate == WeightGate.Silu ? x : 2 * RootOf2OverPi * x * Vector512.FusedMultiplyAdd(x * Cubic, x, Vector512<float>.One);
            var y = x * Vector512.Load(sums + Tile) / (Vector512<float>.One + Power(z * -Log2E));
            if (past) y.StoreAlignedNonTemporal(to);
            else y.Store(to);
        }
    }

    // 2 to the power t: 2^n of the whole part, a polynomial of the rest (1e-7). Beyond 2^126 a gate is shut, below 2^-126 open; NaN
    // comes back through x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Power(Vector512<float> t)
    {
        t = Vector512.MinNative(Vector512.MaxNative(t, Vector512.Create(-126f)), Vector512.Create(126f));
        var n = Vector512.Round(t);
        var f = t - n;
        var p = Vector512.FusedMultiplyAdd(f, Vector512.Create(0.0001532102469354868f), Vector512.Create(0.0013390274252742529f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(0.009618528187274933f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(0.05550362169742584f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(0.24022647738456726f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(0.6931471805599453f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512<float>.One);
        return (p.AsInt32() + (Vector512.ConvertToInt32Native(n) << 23)).AsSingle();
    }
}
