using System.Runtime.InteropServices;
using Ashlar.Graph;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>What a decoding kernel works on.</summary>
[StructLayout(LayoutKind.Sequential)]
struct DecodeArguments
{
    public long From;          // steps of a panel
    public long To;            // as many steps of bfloat16 tiles
    public long Steps;         // at least 1
    public long Masks;         // 4 times 64 bytes: byte i of each group of four, zero-extended
    public long Table;         // 64 bytes: the table of int4 codes four times
    public long Ahead;         // what is decoded next: the first of its quarters
    public long AheadStride;   // bytes of a quarter
}

/// <summary>Assembles and keeps the kernels that decode a panel to bfloat16 in the order of tiles.</summary>
/// <remarks>
/// Codes are exact in float32; scale and offset are one multiply-add, rounded once, then rounded to bfloat16 (to nearest, ties
/// away from zero). About 20 instructions for 64 weights of int8.
/// </remarks>
static unsafe class TileDecoding
{
    static readonly Dictionary<WeightEncoding, ExecutableMemory> assembled = [];
    static readonly Lock assembling = new();
    static readonly byte[] masks = Masks();

    /// <summary>Four masks for <see cref="DecodeArguments.Masks"/>; they never move.</summary>
    public static nint MasksAddress { get; } = Marshal.UnsafeAddrOfPinnedArrayElement(masks, 0);

    /// <summary>The kernel of this encoding, <c>void (DecodeArguments*)</c>, assembled at its first use.</summary>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static ExecutableMemory Get(WeightEncoding encoding)
    {
        lock (assembling)
        {
            if (!assembled.TryGetValue(encoding, out var code)) assembled[encoding] = code = ExecutableMemory.Of(Write(encoding));
            return code;
        }
    }

    static byte[] Masks()
    {
        var all = GC.AllocateArray<byte>(4 * 64, pinned: true);
        for (int i = 0; i < all.Length; i++) all[i] = i % 4 == 0 ? (byte)(i % 16 + i / 64) : (byte)0x80;
        return all;
    }

    static Assembler Write(WeightEncoding encoding)
    {
        var layout = new WeightLayout(encoding, 1, 1);
        AssemblerRegister64 arguments = r11, from = rax, to = rcx, counter = rdx, ahead = r8, stride = r9, triple = r10;
        // Only registers that Windows leaves to the callee.
        AssemblerRegisterZMM codes = zmm0, source = zmm1, nibbles = zmm2, table = zmm3, scale = zmm4, offset = zmm5;
        AssemblerRegisterZMM[] bytes = [zmm16, zmm17, zmm18, zmm19], extend = [zmm20, zmm21, zmm22, zmm23];
        AssemblerRegisterZMM half = zmm24, upper = zmm25, shift = zmm26;
        var x = new Assembler(64);
        x.mov(arguments, OperatingSystem.IsWindows() ? rcx : rdi);
        x.mov(from, Field(nameof(DecodeArguments.From)));
        x.mov(to, Field(nameof(DecodeArguments.To)));
        x.mov(counter, Field(nameof(DecodeArguments.Steps)));
        Fill(half, 0x8000);
        Fill(upper, 0xffff0000);
        if (encoding.IsQuantized)
        {
            x.mov(r10, Field(nameof(DecodeArguments.Masks)));
            for (int i = 0; i < 4; i++) x.vmovdqu8(extend[i], __zmmword_ptr[r10 + i * 64]);
            Fill(nibbles, 0x0f0f0f0f);
            Fill(shift, unchecked((uint)BitConverter.SingleToInt32Bits(-RowKernels.OffsetOf(encoding))));
            if (RowKernels.LooksUp(encoding))
            {
                x.mov(r10, Field(nameof(DecodeArguments.Table)));
                x.vmovdqu8(table, __zmmword_ptr[r10]);
            }
        }
        x.mov(ahead, Field(nameof(DecodeArguments.Ahead)));
        x.mov(stride, Field(nameof(DecodeArguments.AheadStride)));
        x.lea(triple, __[stride + stride * 2]);
        var step = x.CreateLabel();
        x.Label(ref step);
        int fetched = 0, lines = (layout.StepBytes / 4 + 63) / 64;
        for (int tile = 0; tile < 2; tile++)
            if (encoding.IsQuantized) Codes(tile);
            else Halves(tile);
        while (fetched < 4 * lines) Fetch();
        x.add(ahead, layout.StepBytes / 4);
        x.add(from, layout.StepBytes);
        x.add(to, Matrix.Tiles.StepBytes);
        x.dec(counter);
        x.jnz(step);
        x.vzeroupper();
        x.ret();
        return x;

        AssemblerMemoryOperand Field(string name) => __qword_ptr[arguments + (int)Marshal.OffsetOf<DecodeArguments>(name)];

        void Fill(AssemblerRegisterZMM register, uint value)
        {
            x.mov(r10d, value);
            x.vpbroadcastd(register, r10d);
        }

        // As the kernels for few rows fetch: from four places in turn.
        void Fetch()
        {
            if (fetched >= 4 * lines) return;
            int at = fetched / 4 * 64;
            x.prefetcht1((fetched++ % 4) switch
            {
                0 => __byte_ptr[ahead + at],
                1 => __byte_ptr[ahead + stride + at],
                2 => __byte_ptr[ahead + stride * 2 + at],
                _ => __byte_ptr[ahead + triple + at],
            });
        }

        void Halves(int tile)
        {
            for (int group = 0; group < 16; group++)
            {
                x.vcvtph2ps(bytes[0], __ymmword_ptr[from + tile * layout.TileBytes + group * 64]);
                x.vcvtph2ps(bytes[1], __ymmword_ptr[from + tile * layout.TileBytes + group * 64 + 32]);
                Pair(bytes[0], bytes[1], tile * Matrix.Tiles.Bytes + group * 64);
                Fetch();
            }
        }

        void Codes(int tile)
        {
            for (int group = 0; group < 8; group++)
            {
                if (group % (8 / layout.Scales) == 0)
                {
                    int at = 2 * layout.TileBytes + group / (8 / layout.Scales) * 64 + tile * 32;
                    x.vcvtph2ps(scale, __ymmword_ptr[from + at]);
                    x.vmulps(offset, scale, shift);
                    if (encoding.HasMinimum)
                    {
                        x.vcvtph2ps(source, __ymmword_ptr[from + at + layout.Scales * 64]);
                        x.vsubps(offset, offset, source);
                    }
                }
                if (encoding.Code == WeightCode.Int8)
                    x.vmovdqa64(codes, __zmmword_ptr[from + tile * layout.TileBytes + group * 64]);
                else
                {
                    if (group % 2 == 0) x.vmovdqa64(source, __zmmword_ptr[from + tile * layout.TileBytes + group / 2 * 64]);
                    else x.vpsrlw(source, source, 4);
                    x.vpandd(codes, source, nibbles);
                    if (RowKernels.LooksUp(encoding)) x.vpshufb(codes, table, codes);
                }
                Fetch();
                for (int i = 0; i < 4; i++) x.vpshufb(bytes[i], codes, extend[i]);
                for (int i = 0; i < 4; i++) x.vcvtdq2ps(bytes[i], bytes[i]);
                for (int i = 0; i < 4; i++) x.vfmadd213ps(bytes[i], scale, offset);
                Pair(bytes[0], bytes[1], tile * Matrix.Tiles.Bytes + 2 * group * 64);
                Pair(bytes[2], bytes[3], tile * Matrix.Tiles.Bytes + (2 * group + 1) * 64);
            }
        }

        // Two inputs as bfloat16, the first in the lower half of each lane.
        void Pair(AssemblerRegisterZMM first, AssemblerRegisterZMM second, int at)
        {
            x.vpaddd(first, first, half);
            x.vpaddd(second, second, half);
            x.vpsrld(first, first, 16);
            x.vpternlogd(first, second, upper, 0xf8);              // first or (second and upper)
            x.vmovdqa64(__zmmword_ptr[to + at], first);
        }
    }
}
