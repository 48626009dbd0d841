using System.Text;
using Ashlar.Compiler.Kernels;
using Ashlar.Graph;

namespace Ashlar.Compiler.Planning;

/// <summary>Where a value of a program lives.</summary>
public enum Residence
{
    /// <summary>In the caller's buffer for a parameter.</summary>
    Parameter,
    /// <summary>In the caller's buffer for a result.</summary>
    Result,
    /// <summary>In the program's own arena.</summary>
    Arena,
    /// <summary>In the memory of another value, which is dead by then.</summary>
    Shared,
}

/// <summary>A value in memory: a parameter, or what a kernel stores.</summary>
public sealed class PlannedValue
{
    internal PlannedValue(int index, Node node, Residence residence, int slot)
    {
        Index = index;
        Node = node;
        Residence = residence;
        Slot = slot;
    }

    /// <summary>Its place in <see cref="Plan.Values"/>.</summary>
    public int Index { get; }

    /// <summary>The node whose value it is.</summary>
    public Node Node { get; }

    /// <summary>Where it lives.</summary>
    public Residence Residence { get; internal set; }

    /// <summary>Which parameter or result; for <see cref="Residence.Shared"/> the index of the value whose memory it
    /// takes.</summary>
    public int Slot { get; internal set; }

    /// <summary>How many bytes it takes.</summary>
    public Extent Bytes => Node.Shape.Elements * Node.DType.Bytes;

    /// <summary>The launch that writes it; -1 for a parameter.</summary>
    public int Written { get; internal set; } = -1;

    /// <summary>The last launch that reads it; that of <see cref="Written"/> when none does.</summary>
    public int LastRead { get; internal set; } = -1;
}

/// <summary>One kernel call: which values its buffers are.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Values">For each buffer of the kernel's program, the index of its value in <see cref="Plan.Values"/>.</param>
public sealed record Launch(BuiltKernel Kernel, ValueList<int> Values);

/// <summary>A function turned into kernel calls in order, with every value's place known.</summary>
/// <param name="Function">What was compiled, after all graph passes.</param>
/// <param name="Symbols">The symbols that runs give values to, by name.</param>
/// <param name="Values">Every value in memory.</param>
/// <param name="Launches">The calls, in order.</param>
public sealed record Plan(Function Function, ValueList<Symbol> Symbols, IReadOnlyList<PlannedValue> Values,
    IReadOnlyList<Launch> Launches)
{
    /// <summary>The value whose memory a value really uses, through all sharing.</summary>
    public PlannedValue Home(PlannedValue value)
    {
        while (value.Residence == Residence.Shared) value = Values[value.Slot];
        return value;
    }

    /// <summary>Kernels and values as text, with bytes before and after planning.</summary>
    public string Describe(MemoryPlan memory)
    {
        var text = new StringBuilder();
        text.AppendLine(System.Globalization.CultureInfo.InvariantCulture,
            $"{Launches.Count} kernels, {memory.UnplannedBytes:N0} bytes with one buffer per value, {memory.PeakBytes:N0} bytes planned");
        for (int i = 0; i < Launches.Count; i++)
        {
            var program = Launches[i].Kernel.Program;
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{i,4}  {program.Name}(");
            text.AppendJoin(", ",
                Launches[i].Values.Select((value, slot) =>
                    $"{(program.Buffers[slot].Written ? "-> " : "")}{Place(Values[value], memory)} {program.Buffers[slot].DType.Name}{program.Buffers[slot].Shape}"));
            text.AppendLine(")");
        }
        return text.ToString();
    }

    string Place(PlannedValue value, MemoryPlan memory) => Home(value) switch
    {
        { Residence: Residence.Parameter } home => $"parameter {home.Slot}",
        { Residence: Residence.Result } home => $"result {home.Slot}",
        var home => $"arena +{memory.Offsets[home.Index]}",
    };
}
