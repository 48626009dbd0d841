using System.Numerics;

namespace Ashlar.Training;

/// <summary>
/// A random order of 0 .. n-1 that needs no memory: place by place a function of the key, so any place can be asked for alone.
/// </summary>
/// <remarks>
/// A Feistel network of 6 rounds over the next power of 4, walked until it falls below n: Black and Rogaway 2002, "Ciphers with
/// arbitrary finite domains". Its round function is the finaliser of SplitMix64 (Steele, Lea and Flood 2014). Not for secrets.
/// </remarks>
readonly struct Shuffle
{
    const int Rounds = 6;

    readonly ulong key, count, mask;
    readonly int half;

    /// <param name="count">At least 1.</param>
    /// <param name="key">Another key, another order.</param>
    public Shuffle(long count, ulong key)
    {
        (this.count, this.key) = ((ulong)count, key);
        half = Math.Max(1, (64 - BitOperations.LeadingZeroCount((ulong)count - 1) + 1) / 2);
        mask = (1UL << half) - 1;
    }

    /// <summary>What stands at a place.</summary>
    public long this[long place]
    {
        get
        {
            ulong value = (ulong)place;
            do
            {
                ulong left = value >> half, right = value & mask;
                for (int round = 0; round < Rounds; round++)
                    (left, right) = (right, left ^ Mix(key + (ulong)round * 0x9e3779b97f4a7c15 ^ right) & mask);
                value = left << half | right;
            }
            while (value >= count);
            return (long)value;
        }
    }

    /// <summary>A number that looks random, of two.</summary>
    public static ulong Mix(ulong a, ulong b) => Mix(Mix(a) + b);

    static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
        value = (value ^ value >> 27) * 0x94d049bb133111eb;
        return value ^ value >> 31;
    }
}
