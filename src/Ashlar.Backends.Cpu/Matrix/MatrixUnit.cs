using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Backends.Cpu;

/// <summary>How products of an element type are computed, and why so.</summary>
/// <param name="Name">What computes them: <c>amx</c>, or the instruction path.</param>
/// <param name="Why">The reason, to be read after the name.</param>
public sealed record ProductPath(string Name, string Why);

/// <summary>Which products run on the tile unit (AMX), which do not, and why.</summary>
/// <remarks>
/// Everything it takes is asked for once, before the first product is compiled: the processor, the system's leave, executable
/// memory. So nothing falls back later, in the middle of a program.
/// </remarks>
public static class MatrixUnit
{
    static readonly Lazy<string?> whyNoCode = new(() => WhyNoCode(TileKernels.Prepare));

    /// <summary>How products of two operands of these types are computed on a path.</summary>
    /// <param name="isa">The instruction path.</param>
    /// <param name="left">Type of the left operand.</param>
    /// <param name="right">Type of the right operand.</param>
    /// <exception cref="DeviceException">ASHLAR_AMX asks for what this machine or path does not have, or is neither on nor
    /// off.</exception>
    public static ProductPath PathOf(Isa isa, DType left, DType right) => PathOf(isa, left, right, AshlarEnvironment.Amx.Value);

    /// <summary>The same for a value of ASHLAR_AMX, and for what keeps a system from running assembled code; null for this
    /// one.</summary>
    internal static ProductPath PathOf(Isa isa, DType left, DType right, string? value, string? refusal = null)
    {
        if (TileProduct.Of(left, right) is not { } product)
            return new(isa.Name, $"the tile unit multiplies no {left.Name} by {right.Name}");
        bool? asked = Asked(value);
        if (asked == false)
            return new(isa.Name, $"{AshlarEnvironment.Amx.Name} asks for it; operands are widened to {product.Sum.Name}");
        string? whyNot = WhyNot(isa, product, refusal);
        if (whyNot is null)
            return new("amx", asked == true ? $"{AshlarEnvironment.Amx.Name} asks for it" : "this machine has it");
        if (asked == true)
            throw new DeviceException("ASH0620", $"{AshlarEnvironment.Amx.Name} asks for the tile unit, but {whyNot}.",
                $"unset {AshlarEnvironment.Amx.Name} to run products of {left.Name} on the vectors.");
        return new(isa.Name, $"{whyNot}; operands are widened to {product.Sum.Name}");
    }

    /// <summary>Whether a product runs on tiles, as the environment and the machine have it.</summary>
    internal static bool Takes(Isa isa, TileProduct product) => PathOf(isa, product.Left, product.Right).Name == "amx";

    /// <summary>What a value of ASHLAR_AMX asks for; null where it leaves the choice.</summary>
    internal static bool? Asked(string? value) => value?.ToLowerInvariant() switch
    {
        null => null,
        "on" => true,
        "off" => false,
        _ => throw new DeviceException("ASH0621", $"{AshlarEnvironment.Amx.Name} is '{value}', which is neither on nor off.",
            "set it to off to keep products on the vectors, or unset it."),
    };

    /// <summary>What the system says when something is assembled, in one line; null where it allows that.</summary>
    internal static string? WhyNoCode(Action assemble)
    {
        try
        {
            assemble();
            return null;
        }
        catch (DeviceException refused)
        {
            return refused.Message.Split('\n')[0];
        }
    }

    static string? WhyNot(Isa isa, TileProduct product, string? refusal) =>
        isa != Isa.Avx512 ? $"the path {isa.Name} packs no tiles; avx512 does"
        : (product == TileProduct.BF16 ? Amx.WhyNot : Amx.WhyNotInt8) ?? refusal ?? whyNoCode.Value;
}
