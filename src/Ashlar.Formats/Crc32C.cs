using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Ashlar.Formats;

/// <summary>The checksum CRC-32C (Castagnoli), as in iSCSI (RFC 3720, appendix B.4) and TensorFlow's record files.</summary>
/// <remarks>
/// Processors have an instruction for it, which .NET uses. Its result comes three cycles after its start, so three thirds of a
/// stretch go side by side and are joined: the register behind two stretches is that of the first, taken over as many zeros as
/// the second is long, exclusive-or that of the second alone (the register is linear). It finds damage, not forgery.
/// </remarks>
public struct Crc32C
{
    const int Third = 4096;

    // Of each byte of a register at each of its four places: that register taken over a third's length of zeros.
    static readonly uint[] zeros = Zeros();

    uint register;   // 0 for no bytes: the complement is taken at both ends of Append

    /// <summary>The checksum of all bytes so far.</summary>
    public readonly uint Value => register;

    /// <summary>The checksum of these bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        Crc32C sum = default;
        sum.Append(bytes);
        return sum.Value;
    }

    /// <summary>Takes more bytes into the checksum.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~register;
        for (; bytes.Length >= 3 * Third; bytes = bytes[(3 * Third)..])
        {
            var words = MemoryMarshal.Cast<byte, ulong>(bytes[..(3 * Third)]);
            const int each = Third / 8;
            ReadOnlySpan<ulong> a = words[..each], b = words.Slice(each, each), c = words[(2 * each)..];
            uint second = 0, third = 0;
            for (int i = 0; i < a.Length; i++)
            {
                crc = BitOperations.Crc32C(crc, Little(a[i]));
                second = BitOperations.Crc32C(second, Little(b[i]));
                third = BitOperations.Crc32C(third, Little(c[i]));
            }
            crc = OverZeros(OverZeros(crc) ^ second) ^ third;
        }
        for (; bytes.Length >= 8; bytes = bytes[8..]) crc = BitOperations.Crc32C(crc,
            BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte one in bytes) crc = BitOperations.Crc32C(crc, one);
        register = ~crc;
    }

    static ulong Little(ulong word) => BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word);

    static uint OverZeros(uint register) => zeros[register & 255] ^ zeros[256 + (register >> 8 & 255)]
        ^ zeros[512 + (register >> 16 & 255)] ^ zeros[768 + (register >> 24)];

    static uint[] Zeros()
    {
        uint[] bits = new uint[32], table = new uint[4 * 256];
        for (int bit = 0; bit < 32; bit++)
        {
            bits[bit] = 1u << bit;
            for (int i = 0; i < Third / 8; i++) bits[bit] = BitOperations.Crc32C(bits[bit], 0ul);
        }
        for (int i = 0; i < table.Length; i++)
            for (int bit = 0; bit < 8; bit++)
                if ((i >> bit & 1) != 0) table[i] ^= bits[i / 256 * 8 + bit];
        return table;
    }
}
