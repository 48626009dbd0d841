using System.Runtime.CompilerServices;

namespace Ashlar.Backends.Cpu.Vec;

/// <summary>Integer arithmetic that never faults: by zero gives 0, the least value by -1 wraps.</summary>
internal static class Scalars
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Div(long a, long b) => b == 0 ? 0 : b == -1 ? unchecked(-a) : a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Rem(long a, long b) => b is 0 or -1 ? 0 : a % b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long FloorDiv(long a, long b)
    {
        long quotient = Div(a, b);
        return b != 0 && unchecked(quotient * b) != a && (a ^ b) < 0 ? quotient - 1 : quotient;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long FloorMod(long a, long b)
    {
        long remainder = Rem(a, b);
        return remainder != 0 && (remainder ^ b) < 0 ? remainder + b : remainder;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Div(int a, int b) => (int)Div((long)a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Rem(int a, int b) => (int)Rem((long)a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FloorDiv(int a, int b) => (int)FloorDiv((long)a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FloorMod(int a, int b) => (int)FloorMod((long)a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Min(long a, long b) => a < b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Max(long a, long b) => a > b ? a : b;

    /// <summary>The power, by repeated squaring; a negative exponent gives the truncated quotient: 0, 1 or -1.</summary>
    public static long Power(long x, long exponent)
    {
        if (exponent < 0) return x switch { 1 => 1, -1 => (exponent & 1) == 0 ? 1 : -1, _ => 0 };
        long result = 1;
        for (; exponent > 0; exponent >>= 1)
        {
            if ((exponent & 1) != 0) result = unchecked(result * x);
            x = unchecked(x * x);
        }
        return result;
    }
}
