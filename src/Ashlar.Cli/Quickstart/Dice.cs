namespace Ashlar.Cli.Quickstart;

/// <summary>Random numbers that a seed and a number of an example name, so that any example can be drawn again alone.</summary>
/// <remarks>SplitMix64: Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195. Not thread-safe.</remarks>
sealed class Dice(long seed, long example)
{
    ulong state = Mix((ulong)seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) ^ Mix((ulong)example + 0x9E3779B97F4A7C15);

    /// <summary>A whole number from 0 to below <paramref name="count"/>, each as likely.</summary>
    public int Next(int count)
    {
        state += 0x9E3779B97F4A7C15;
        return (int)Math.BigMul(Mix(state), (ulong)count, out _);
    }

    /// <summary>A number from [0, 1).</summary>
    public double NextUniform() => Next(1 << 30) / (double)(1 << 30);

    static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
