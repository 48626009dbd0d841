using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Panels of packed weights as float32, by 256-bit vectors of .NET's portable vocabulary: every machine runs
/// it.</summary>
static unsafe class WeightDecoding
{
    static readonly sbyte[][] tables = [.. Enum.GetValues<WeightTable>().Select(Integers)];

    /// <summary>The table of int4 codes as signed bytes; <see cref="WeightLayout.ScaleFactor"/> is in the stored
    /// scales.</summary>
    public static ReadOnlySpan<sbyte> Table(WeightEncoding encoding) => tables[(int)encoding.Table];

    static sbyte[] Integers(WeightTable table)
    {
        var encoding = WeightEncoding.Int4(table: table);
        return [.. encoding.Values.ToArray().Select(value => (sbyte)(value / WeightLayout.ScaleFactor(encoding)))];
    }

    /// <summary>Decodes consecutive steps of a panel to [steps * 32 inputs, 32 outputs].</summary>
    public static void Panel(in WeightLayout layout, byte* from, long steps, float* to)
    {
        int stepBytes = layout.StepBytes, tileBytes = layout.TileBytes;
        var table = layout.Encoding.Code == WeightCode.Int4 ? Vector128.Create(Table(layout.Encoding)).AsByte() : default;
        for (long step = 0; step < steps; step++, from += stepBytes, to += WeightLayout.StepSide * WeightLayout.PanelSide)
            for (int half = 0; half < 4; half++)       // eight outputs at a time
            {
                byte* codes = from + half / 2 * tileBytes + half % 2 * 32;
                switch (layout.Encoding.Code)
                {
                    case WeightCode.BF16: BFloats(codes, to + half * 8); break;
                    case WeightCode.F16: Halves(from + half / 2 * tileBytes + half % 2 * 16, to + half * 8); break;
                    case WeightCode.Int8: Bytes(layout, codes, from + 2 * tileBytes + half * 16, to + half * 8); break;
                    default: Nibbles(layout, table, codes, from + 2 * tileBytes + half * 16, to + half * 8); break;
                }
            }
    }

    static void BFloats(byte* codes, float* to)
    {
        for (int group = 0; group < 16; group++, codes += 64, to += 2 * WeightLayout.PanelSide)
        {
            var pair = Vector256.Load((uint*)codes);
            (pair << 16).AsSingle().Store(to);
            (pair & Vector256.Create(0xffff0000u)).AsSingle().Store(to + WeightLayout.PanelSide);
        }
    }

    static void Halves(byte* codes, float* to)
    {
        for (int input = 0; input < WeightLayout.StepSide; input++, codes += 32, to += WeightLayout.PanelSide)
            Wide((ushort*)codes).Store(to);
    }

    static void Bytes(in WeightLayout layout, byte* codes, byte* scales, float* to)
    {
        for (int group = 0; group < 8; group++, codes += 64, to += 4 * WeightLayout.PanelSide)
            Four(layout, Vector256.Load((uint*)codes) ^ Vector256.Create(0x80808080u),
                scales + group * 4 / layout.Encoding.Block * 64, to);
    }

    static void Nibbles(in WeightLayout layout, Vector128<byte> table, byte* codes, byte* scales, float* to)
    {
        for (int group = 0; group < 8; group++, to += 4 * WeightLayout.PanelSide)
        {
            var both = Vector256.Load((uint*)(codes + group / 2 * 64));
            var one = ((group % 2 == 0 ? both : both >>> 4) & Vector256.Create(0x0f0f0f0fu)).AsByte();
            var values = Vector256.Create(Vector128.Shuffle(table, one.GetLower()), Vector128.Shuffle(table, one.GetUpper()));
            Four(layout, values.AsUInt32(), scales + group * 4 / layout.Encoding.Block * 64, to);
        }
    }

    // Four signed bytes of eight outputs each: four inputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Four(in WeightLayout layout, Vector256<uint> codes, byte* scales, float* to)
    {
        var scale = Wide((ushort*)scales);
        var minimum = layout.Encoding.HasMinimum ? Wide((ushort*)(scales + layout.Scales * 64)) : Vector256<float>.Zero;
        for (int i = 0; i < 4; i++, to += WeightLayout.PanelSide)
            (Vector256.ConvertToSingle((codes << (24 - 8 * i)).AsInt32() >> 24) * scale - minimum).Store(to);
    }

    /// <summary>Eight finite float16 as float32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Wide(ushort* from)
    {
        var (low, high) = Vector128.Widen(Vector128.Load(from));
        var bits = Vector256.Create(low, high);
        // 2^112.
        var magnitude =
            ((bits & Vector256.Create(0x7fffu)) << 13).AsSingle() * Vector256.Create(BitConverter.UInt32BitsToSingle(0x77800000));
        return (magnitude.AsUInt32() | (bits & Vector256.Create(0x8000u)) << 16).AsSingle();
    }

    /// <summary>One output's inputs from <paramref name="layout"/>'s first matrix on.</summary>
    public static void Row(in WeightLayout layout, byte* matrix, long row, float* to)
    {
        int output = (int)(row % WeightLayout.PanelSide);
        long panel = row / WeightLayout.PanelSide;
        var encoding = layout.Encoding;
        var table = encoding.Code == WeightCode.Int4 ? Table(encoding) : default;
        for (long step = 0; step < layout.Steps; step++)
        {
            byte* from = matrix + layout.Offset(panel, step);
            int count = (int)Math.Min(WeightLayout.StepSide, layout.Columns - step * WeightLayout.StepSide);
            for (int input = 0; input < count; input++, to++)
            {
                byte* code = from + layout.CodeAt(output, input);
                if (!encoding.IsQuantized)
                {
                    *to = encoding.Code == WeightCode.BF16
                        ? BitConverter.UInt32BitsToSingle((uint)*(ushort*)code << 16)
                        : (float)*(Half*)code;
                    continue;
                }
                byte* scale = from + layout.ScaleAt(output, input);
                float value = encoding.Code == WeightCode.Int8
                    ? *code - WeightLayout.ByteOffset
                    : table[*code >> (input / 4 % 2 * 4) & 15];
                *to = (float)*(Half*)scale * value - (encoding.HasMinimum ? (float)*(Half*)(scale + layout.Scales * 64) : 0);
            }
        }
    }
}
