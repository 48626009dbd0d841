using System.Runtime.InteropServices;
using Ashlar.Graph;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>What a row kernel works on: a chunk of rows by one panel, over an inner block.</summary>
[StructLayout(LayoutKind.Sequential)]
struct RowArguments
{
    public long Weights;       // steps of the panel
    public long Rows;          // prepared rows, from the same step on
    public long Results;       // one address per row
    public long Column;        // bytes from there to the panel's first output
    public long Steps;         // at least 1
    public long Outputs;       // a bit per output that exists
    public long Table;         // 64 bytes: the table of int4 codes four times
    public long Ahead;         // panels that come later: where fetching goes on in the first quarter of them
    public long AheadStride;   // bytes of a quarter
}

/// <summary>Which row kernel.</summary>
/// <param name="Encoding">How weights are stored.</param>
/// <param name="Rows">From 1 to <see cref="MostRows"/>.</param>
/// <param name="Adds">It adds to the results; else it replaces them.</param>
/// <param name="Share">It fetches one part of so many of what comes later: 1, 2 or 4; 0 for nothing.</param>
readonly record struct RowKernelKey(WeightEncoding Encoding, int Rows, bool Adds, int Share)
{
    /// <summary>How many values <see cref="Share"/> has, and which: 0, 1, 2, 4.</summary>
    public const int Shares = 4;

    /// <inheritdoc cref="Shares"/>
    public static int ShareOf(int index) => index == 0 ? 0 : 1 << (index - 1);

    /// <summary>Bytes of each quarter that a step fetches.</summary>
    public int StepAhead => Share == 0 ? 0 : new WeightLayout(Encoding, 1, 1).StepBytes / 4 / Share;

    /// <summary>Rows of a chunk: as many as registers hold sums of. Codes are summed twice, in integers within a block and in
    /// floats.</summary>
    public static int MostRows(WeightEncoding encoding) => encoding.IsQuantized ? 6 : 8;
}

/// <summary>Rows on their way into a kernel: for each step, for each row of a chunk, one record.</summary>
/// <remarks>
/// For float weights 32 floats. For codes 64 bytes: 32 signed bytes, then their scale; for each of two halves what takes the
/// weights' offset back out of the sum of products; for each half the sum of the rounded row, which minima are multiplied by.
/// </remarks>
static class RowRecord
{
    public const int Scale = 32, Offsets = 36, Sums = 44;

    public static int BytesFor(WeightEncoding encoding) => encoding.IsQuantized ? 64 : 128;
}

/// <summary>Assembles and keeps the kernels for few rows: AVX-512 with dot products of bytes.</summary>
/// <remarks>
/// Lanes are outputs: a group of inputs of a row is broadcast from memory, so no sum goes across lanes, and a row costs one
/// instruction per 64 bytes of int8 weights. Both tiles of a panel go together: half the broadcasts, and twice as many sums that
/// do not wait for each other. Weights come from memory once for all rows of a chunk; what a kernel works on was fetched by those
/// before it, and meanwhile it fetches panels that come later.
/// </remarks>
static unsafe class RowKernels
{
    static readonly Dictionary<RowKernelKey, ExecutableMemory> assembled = [];
    static readonly Lock assembling = new();

    /// <summary>The kernel of this key, assembled at its first use.</summary>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static ExecutableMemory Get(in RowKernelKey key)
    {
        lock (assembling)
        {
            if (!assembled.TryGetValue(key, out var code))
                assembled[key] = code = ExecutableMemory.Of(new RowKernelWriter(key).Write());
            return code;
        }
    }

    /// <summary>What is added to codes of this encoding so that dot instructions can take them as unsigned.</summary>
    public static int OffsetOf(WeightEncoding encoding) =>
        encoding.Code == WeightCode.Int8 ? WeightLayout.ByteOffset : encoding.Table switch
        {
            WeightTable.Centered => 8,
            WeightTable.FromZero => 0,
            _ => WeightLayout.ByteOffset,
        };

    /// <summary>True where int4 codes are looked up; else they are used as they are.</summary>
    public static bool LooksUp(WeightEncoding encoding) =>
        encoding.Code == WeightCode.Int4 && encoding.Table >= WeightTable.IQ4NL;
}

/// <summary>Writes one row kernel.</summary>
sealed class RowKernelWriter(RowKernelKey key)
{
    static readonly AssemblerRegisterZMM[] zmm =
        [zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31];
    // On Windows.
    static readonly AssemblerRegisterXMM[] kept = [xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15];

    readonly Assembler x = new(64);
    readonly WeightLayout layout = new(key.Encoding, 1, 1);
    readonly AssemblerRegister64 arguments = r11, weights = rax, rows = rcx, counter = rdx, ahead = r8, stride = r9, triple = r10;
    // Of floats; codes have the lower half of the registers for products.
    readonly AssemblerRegisterZMM weight = zmm8, high = zmm9;
    readonly AssemblerRegisterZMM[] codes = [zmm12, zmm13], source = [zmm14, zmm15];
    readonly AssemblerRegisterZMM group = zmm28, table = zmm29, mask = key.Encoding.IsQuantized ? zmm31 : zmm11;
    int fetched;

    // Sums of a row: one register per tile; for few rows of floats a second one, so that additions wait less for each other.
    AssemblerRegisterZMM Sum(int row, int tile) => zmm[16 + 2 * row + tile];

    AssemblerRegisterZMM Other(int row, int tile) => key.Rows <= 4 ? zmm[2 * row + tile] : Sum(row, tile);

    static AssemblerRegisterZMM Products(int row, int tile) => zmm[2 * row + tile];

    int RecordBytes => RowRecord.BytesFor(key.Encoding);

    /// <summary><c>void (RowArguments*)</c></summary>
    public Assembler Write()
    {
        bool isWindows = OperatingSystem.IsWindows();
        x.mov(arguments, isWindows ? rcx : rdi);
        if (isWindows)
        {
            x.sub(rsp, kept.Length * 16);
            for (int i = 0; i < kept.Length; i++) x.movups(__xmmword_ptr[rsp + i * 16], kept[i]);
        }
        x.mov(weights, Field(nameof(RowArguments.Weights)));
        x.mov(rows, Field(nameof(RowArguments.Rows)));
        x.mov(counter, Field(nameof(RowArguments.Steps)));
        for (int row = 0; row < key.Rows; row++)
            for (int tile = 0; tile < 2; tile++)
            {
                x.vpxord(Sum(row, tile), Sum(row, tile), Sum(row, tile));
                if (!key.Encoding.IsQuantized && key.Rows <= 4) x.vpxord(Other(row, tile), Other(row, tile), Other(row, tile));
            }
        Constants();
        if (key.Share > 0)
        {
            x.mov(ahead, Field(nameof(RowArguments.Ahead)));
            x.mov(stride, Field(nameof(RowArguments.AheadStride)));
            x.lea(triple, __[stride + stride * 2]);
        }

        var step = x.CreateLabel();
        x.Label(ref step);
        fetched = 0;
        if (key.Encoding.IsQuantized) CodeStep();
        else FloatStep();
        Advance();
        x.dec(counter);
        x.jnz(step);

        Store();
        if (isWindows)
        {
            for (int i = 0; i < kept.Length; i++) x.movups(kept[i], __xmmword_ptr[rsp + i * 16]);
            x.add(rsp, kept.Length * 16);
        }
        x.vzeroupper();
        x.ret();
        return x;
    }

    AssemblerMemoryOperand Field(string name) => __qword_ptr[arguments + (int)Marshal.OffsetOf<RowArguments>(name)];

    void Constants()
    {
        if (key.Encoding.Code is WeightCode.BF16 or WeightCode.Int4)
        {
            x.mov(r10d, key.Encoding.Code == WeightCode.BF16 ? 0xffff0000u : 0x0f0f0f0fu);
            x.vpbroadcastd(mask, r10d);
        }
        if (!RowKernels.LooksUp(key.Encoding)) return;
        x.mov(r10, Field(nameof(RowArguments.Table)));
        x.vmovdqu8(table, __zmmword_ptr[r10]);
    }

    void FloatStep()
    {
        for (int pair = 0; pair < WeightLayout.StepSide / 2; pair++)
            for (int tile = 0; tile < 2; tile++)
            {
                int at = tile * layout.TileBytes + pair * 64;
                if (key.Encoding.Code == WeightCode.BF16)
                {
                    x.vmovdqa64(high, __zmmword_ptr[weights + at]);
                    x.vpslld(weight, high, 16);
                    x.vpandd(high, high, mask);
                }
                else
                {
                    x.vcvtph2ps(weight, __ymmword_ptr[weights + at]);
                    x.vcvtph2ps(high, __ymmword_ptr[weights + at + 32]);
                }
                Fetch();
                for (int row = 0; row < key.Rows; row++)
                {
                    x.vfmadd231ps(Sum(row, tile), weight, __dword_bcst[rows + row * RecordBytes + pair * 8]);
                    x.vfmadd231ps(Other(row, tile), high, __dword_bcst[rows + row * RecordBytes + pair * 8 + 4]);
                }
            }
    }

    void CodeStep()
    {
        int groups = 8 / layout.Scales;                // that share a scale
        for (int half = 0; half < layout.Scales; half++)
        {
            for (int row = 0; row < key.Rows; row++)
                for (int tile = 0; tile < 2; tile++)
                    x.vpbroadcastd(Products(row, tile), __dword_ptr[rows + row * RecordBytes + RowRecord.Offsets + 4 * half]);
            for (int at = half * groups; at < (half + 1) * groups; at++)
            {
                for (int tile = 0; tile < 2; tile++)
                {
                    Codes(tile, at);
                    if (key.Encoding.Code == WeightCode.Int8 || at % 2 == 0) Fetch();
                }
                for (int row = 0; row < key.Rows; row++)
                {
                    x.vpbroadcastd(group, __dword_ptr[rows + row * RecordBytes + at * 4]);
                    for (int tile = 0; tile < 2; tile++) x.vpdpbusd(Products(row, tile), codes[tile], group);
                }
            }
            Scaled(half);
        }
    }

    // Sums of a block of codes, from integers to floats.
    void Scaled(int half)
    {
        int at = 2 * layout.TileBytes + half * 64;
        for (int tile = 0; tile < 2; tile++) x.vcvtph2ps(codes[tile], __ymmword_ptr[weights + at + tile * 32]);
        Fetch();
        for (int row = 0; row < key.Rows; row++)
        {
            x.vbroadcastss(group, __dword_ptr[rows + row * RecordBytes + RowRecord.Scale]);
            for (int tile = 0; tile < 2; tile++)
            {
                var products = Products(row, tile);
                x.vcvtdq2ps(products, products);
                x.vmulps(products, products, group);
                x.vfmadd231ps(Sum(row, tile), products, codes[tile]);
            }
        }
        if (!key.Encoding.HasMinimum) return;
        for (int tile = 0; tile < 2; tile++)
            x.vcvtph2ps(codes[tile], __ymmword_ptr[weights + at + layout.Scales * 64 + tile * 32]);
        Fetch();
        for (int row = 0; row < key.Rows; row++)
            for (int tile = 0; tile < 2; tile++)
                x.vfnmadd231ps(Sum(row, tile), codes[tile], __dword_bcst[rows + row * RecordBytes + RowRecord.Sums + 4 * half]);
    }

    // Of int4 the low halves of 64 bytes are one group, the high halves the next.
    void Codes(int tile, int at)
    {
        int first = tile * layout.TileBytes;
        if (key.Encoding.Code == WeightCode.Int8)
        {
            x.vmovdqa64(codes[tile], __zmmword_ptr[weights + first + at * 64]);
            return;
        }
        if (at % 2 == 0) x.vmovdqa64(source[tile], __zmmword_ptr[weights + first + at / 2 * 64]);
        else x.vpsrlw(source[tile], source[tile], 4);
        x.vpandd(codes[tile], source[tile], mask);
        if (RowKernels.LooksUp(key.Encoding)) x.vpshufb(codes[tile], table, codes[tile]);
    }

    // A line of what comes later, beside each line of this: from four places in turn, which lie in pages of their own, because
    // each page is prefetched by itself and one at a time leaves memory half idle.
    void Fetch()
    {
        if (fetched >= 4 * FetchedLines) return;
        int at = fetched / 4 * 64;
        var line = (fetched++ % 4) switch
        {
            0 => __byte_ptr[ahead + at],
            1 => __byte_ptr[ahead + stride + at],
            2 => __byte_ptr[ahead + stride * 2 + at],
            _ => __byte_ptr[ahead + triple + at],
        };
        x.prefetcht0(line);
    }

    // Of each quarter in a step.
    int FetchedLines => (key.StepAhead + 63) / 64;

    void Advance()
    {
        x.add(weights, layout.StepBytes);
        x.add(rows, key.Rows * RecordBytes);
        if (key.Share == 0) return;
        while (fetched < 4 * FetchedLines) Fetch();
        x.add(ahead, key.StepAhead);
    }

    void Store()
    {
        x.mov(rdx, Field(nameof(RowArguments.Outputs)));
        x.kmovw(k1, edx);
        x.shr(edx, 16);
        x.kmovw(k2, edx);
        x.mov(rcx, Field(nameof(RowArguments.Results)));
        x.mov(r8, Field(nameof(RowArguments.Column)));
        for (int row = 0; row < key.Rows; row++)
        {
            x.mov(rax, __qword_ptr[rcx + row * 8]);
            x.add(rax, r8);
            for (int tile = 0; tile < 2; tile++)
            {
                var sum = Sum(row, tile);
                if (!key.Encoding.IsQuantized && key.Rows <= 4) x.vaddps(sum, sum, Other(row, tile));
                // What a mask leaves out is neither read nor written, so it may lie beyond the memory.
                if (key.Adds) x.vaddps(tile == 0 ? sum.k1.z : sum.k2.z, sum, __zmmword_ptr[rax + tile * 64]);
                x.vmovups(tile == 0 ? __zmmword_ptr[rax + tile * 64].k1 : __zmmword_ptr[rax + tile * 64].k2, sum);
            }
        }
    }
}
