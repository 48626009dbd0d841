using System.Globalization;

namespace Ashlar;

/// <summary>How the numbers of a packed weight are stored.</summary>
public enum WeightCode : byte
{
    /// <summary>bfloat16, without scales.</summary>
    BF16,
    /// <summary>float16, without scales.</summary>
    F16,
    /// <summary>Signed bytes from -128 to 127, with a scale per block.</summary>
    Int8,
    /// <summary>Codes from 0 to 15 that a <see cref="WeightTable"/> gives a value, with a scale per block.</summary>
    Int4,
}

/// <summary>What the codes of <see cref="WeightCode.Int4"/> stand for.</summary>
public enum WeightTable : byte
{
    /// <summary>The code less 8: Q4_0.</summary>
    Centered,
    /// <summary>The code itself: Q4_1 and Q4_K, whose minimum is subtracted.</summary>
    FromZero,
    /// <summary>The 16 steps of IQ4_NL and IQ4_XS, finer around zero: from -127 to 113.</summary>
    IQ4NL,
    /// <summary>Four-bit floats of the OCP microscaling formats (MXFP4): 0, 0.5, 1, 1.5, 2, 3, 4, 6, then the same
    /// negative.</summary>
    E2M1,
}

/// <summary>How a packed weight encodes its numbers: <c>value = scale * table[code] - minimum</c>, per block of inputs of one
/// output.</summary>
/// <remarks>
/// Scales and minima are float16. Blocks are 16 or 32 inputs: formats with longer blocks repeat their scale, which costs half a
/// bit per weight at most and spares a kernel for each length. Formats of 2 and 3 bits use <see cref="WeightCode.Int4"/>, those
/// of 5 and 6 bits <see cref="WeightCode.Int8"/>.
/// </remarks>
public sealed record WeightEncoding
{
    static readonly float[][] tables =
    [
        [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113],
        [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, 0, -0.5f, -1, -1.5f, -2, -3, -4, -6],
    ];

    static readonly string[] tableNames = ["", "_zero", "_iq4nl", "_e2m1"];

    WeightEncoding(WeightCode code, int block, bool hasMinimum, WeightTable table) =>
        (Code, Block, HasMinimum, Table) = (code, block, hasMinimum, table);

    /// <summary>bfloat16. Denormal numbers become zero: processors are slow with them, and tile units take them as zero
    /// too.</summary>
    public static WeightEncoding BF16 { get; } = new(WeightCode.BF16, 1, false, WeightTable.Centered);

    /// <summary>float16.</summary>
    public static WeightEncoding F16 { get; } = new(WeightCode.F16, 1, false, WeightTable.Centered);

    /// <summary>Signed bytes: Q8_0 with the defaults; Q5_0 too. Q5_1 and Q5_K have a minimum, Q6_K blocks of 16.</summary>
    /// <param name="block">Inputs that share a scale: 16 or 32.</param>
    /// <param name="hasMinimum">A minimum is subtracted.</param>
    /// <exception cref="DTypeException">There is no kernel for this block (ASH0640).</exception>
    public static WeightEncoding Int8(int block = 32, bool hasMinimum = false) =>
        new(WeightCode.Int8, Checked(block), hasMinimum, WeightTable.Centered);

    /// <summary>Four bits: Q4_0 with the defaults.</summary>
    /// <param name="block">Inputs that share a scale: 16 or 32.</param>
    /// <param name="hasMinimum">A minimum is subtracted.</param>
    /// <param name="table">What codes stand for.</param>
    /// <exception cref="DTypeException">There is no kernel for this block (ASH0640).</exception>
    public static WeightEncoding Int4(int block = 32, bool hasMinimum = false, WeightTable table = WeightTable.Centered) =>
        new(WeightCode.Int4, Checked(block), hasMinimum, table);

    /// <summary>Every encoding.</summary>
    public static IReadOnlyList<WeightEncoding> All { get; } =
    [
        BF16, F16,
        .. from block in (int[])[32, 16] from minimum in (bool[])[false, true] select Int8(block, minimum),
        .. from block in (int[])[32, 16] from minimum in (bool[])[false,
            true] from table in Enum.GetValues<WeightTable>() select Int4(block, minimum, table),
    ];

    /// <summary>How numbers are stored.</summary>
    public WeightCode Code { get; }

    /// <summary>Inputs that share a scale; 1 where there are no scales.</summary>
    public int Block { get; }

    /// <summary>True where a minimum per block is subtracted.</summary>
    public bool HasMinimum { get; }

    /// <summary>What the codes of <see cref="WeightCode.Int4"/> stand for.</summary>
    public WeightTable Table { get; }

    /// <summary>True for codes with scales; false for floats.</summary>
    public bool IsQuantized => Code >= WeightCode.Int8;

    /// <summary>Bits of memory per weight, scales and minima included.</summary>
    public double Bits => Code switch
    {
        WeightCode.BF16 or WeightCode.F16 => 16,
        var code => (code == WeightCode.Int8 ? 8 : 4) + (HasMinimum ? 32.0 : 16) / Block,
    };

    /// <summary>The name in text forms, file names and reports: <c>bf16</c>, <c>i8_b32</c>, <c>i4_b32_zero_min</c>.</summary>
    public string Name => Code switch
    {
        WeightCode.BF16 => "bf16",
        WeightCode.F16 => "f16",
        _ =>
            string.Create(CultureInfo.InvariantCulture,
                $"i{(Code == WeightCode.Int8 ? 8 : 4)}_b{Block}{tableNames[(int)Table]}{(HasMinimum ? "_min" : "")}"),
    };

    /// <summary>The encoding of this name; null where there is none.</summary>
    public static WeightEncoding? Parse(string name) => All.FirstOrDefault(encoding => encoding.Name == name);

    /// <summary>Of <see cref="WeightCode.Int4"/>: the value of each of the 16 codes, before scaling.</summary>
    public ReadOnlySpan<float> Values => tables[(int)Table];

    /// <inheritdoc/>
    public override string ToString() => Name;

    static int Checked(int block) => block is 16 or 32 ? block : throw new DTypeException("ASH0640",
        $"packed weights have blocks of 16 or 32 inputs, but {block} was asked for.",
        "use 32, and repeat the scale of longer blocks.");
}
