using System.Numerics;

namespace Ashlar.Graph;

/// <summary>Threefry-2x32 with 20 rounds: random words as a pure function of key and counter.</summary>
/// <remarks>Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3". The same function as in
/// JAX.</remarks>
public static class Threefry
{
    static readonly int[] rotations = [13, 15, 26, 6, 17, 29, 16, 24];

    /// <summary>The two random words of a key and a counter of two words each.</summary>
    public static (uint First, uint Second) Block(uint key0, uint key1, uint counter0, uint counter1)
    {
        uint[] key = [key0, key1, key0 ^ key1 ^ 0x1BD11BDA];
        uint a = counter0 + key0, b = counter1 + key1;
        for (int round = 0; round < 20; round++)
        {
            a += b;
            b = BitOperations.RotateLeft(b, rotations[round % 8]) ^ a;
            if (round % 4 != 3) continue;
            uint injection = (uint)round / 4 + 1;
            a += key[injection % 3];
            b += key[(injection + 1) % 3] + injection;
        }
        return (a, b);
    }
}
