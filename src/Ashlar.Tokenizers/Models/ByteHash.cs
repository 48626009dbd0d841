using System.Runtime.InteropServices;

namespace Ashlar.Tokenizers;

/// <summary>A hash of short byte sequences, with a secret of this process, so that no file can be made to collide.</summary>
static class ByteHash
{
    static readonly ulong seed = (ulong)Random.Shared.NextInt64() | 1;

    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = seed ^ (ulong)bytes.Length * 0x9E3779B97F4A7C15;
        while (bytes.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(bytes));
            bytes = bytes[8..];
        }
        if (bytes.Length >= 4)
        {
            ulong low = MemoryMarshal.Read<uint>(bytes), high = MemoryMarshal.Read<uint>(bytes[^4..]);
            return Mix(hash ^ (low | high << 32));
        }
        ulong rest = 0;
        foreach (byte value in bytes) rest = rest << 8 | value;
        return Mix(hash ^ rest);
    }

    static ulong Mix(ulong value)
    {
        ulong high = Math.BigMul(value ^ 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3 ^ seed << 1, out ulong low);
        return high ^ low;
    }
}
