using System.Runtime.CompilerServices;
using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>A kernel written in C#: a definition that records a tile program for the shapes that it is called with.</summary>
/// <example><code>
/// static Kernel Scale(float factor, int tile = 1024) => Kernel.Define("scale", k =>
/// {
///     var x = k.Input("x", "N");
///     var y = k.Output("y", "N");
///     var n = k.Grid(("N", tile));
///     y[n] = x[n] * factor;
/// });
/// </code></example>
/// <remarks>Thread-safe. A guide is docs/guides/write-a-kernel.md.</remarks>
public sealed class Kernel
{
    readonly Action<KernelBuilder> definition;
    readonly Dictionary<Key, TileKernel> traces = [];
    readonly Lock gate = new();

    Kernel(string name, Action<KernelBuilder> definition, string file, int line)
    {
        (Name, this.definition) = (name, definition);
        Origin = new(Path.GetFileName(file.Replace('\\', '/')), line);
        Symbolic = Trace(null);
    }

    readonly record struct Key(ValueList<NodeType> Arguments);

    /// <summary>Lower case with underscores.</summary>
    public string Name { get; }

    /// <summary>Where it was defined.</summary>
    public SourceLine Origin { get; }

    /// <summary>The kernel with its named extents as symbols: what text forms show.</summary>
    public TileProgram Program => Symbolic.Program;

    /// <summary>The kernel with its named extents as symbols.</summary>
    public TileKernel Symbolic { get; }

    /// <summary>Defines a kernel and traces it once, so that mistakes show here.</summary>
    /// <param name="name">Lower-case letters, digits and underscores.</param>
    /// <param name="definition">Records the kernel. It is called again for other shapes and must do the same each time.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <exception cref="KernelException">The definition breaks a rule of the language; the message has the line, what was found
    /// and the fix.</exception>
    public static Kernel Define(string name, Action<KernelBuilder> definition, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        new(name, definition, file, line);

    /// <summary>A kernel with configs to choose from: the first runs until another was found to be faster here
    /// (<c>choice.Tune</c>).</summary>
    /// <param name="configs">The legal ones, as plain C#: what cannot run is left out here. The first is the default. Each is
    /// known by its text, so records do.</param>
    /// <param name="define">The kernel of a config; all have the same inputs and outputs.</param>
    /// <param name="cost">Ranks configs, the least first, so that the best guesses are timed; null takes them in the order
    /// given.</param>
    /// <exception cref="KernelException">There is no config, or two have the same text (ASH0589).</exception>
    public static KernelChoice Choose<TConfig>(IEnumerable<TConfig> configs, Func<TConfig, Kernel> define,
        Func<TConfig, double>? cost = null) where TConfig : notnull =>
        new([.. configs.Select(config =>
            new KernelOption(config.ToString() ?? "", new(() => define(config)), cost?.Invoke(config) ?? 0))]);

    /// <summary>The kernel for arguments of these types; named extents are bound to theirs.</summary>
    /// <param name="arguments">Element type and shape of each input, in order; extents may be symbolic.</param>
    /// <exception cref="KernelException">The arguments do not fit the inputs (ASH0571).</exception>
    public TileKernel For(params ReadOnlySpan<NodeType> arguments)
    {
        var key = new Key([.. arguments]);
        lock (gate)
        {
            if (!traces.TryGetValue(key, out var traced)) traces[key] = traced = Trace(key.Arguments);
            return traced;
        }
    }

    TileKernel Trace(IReadOnlyList<NodeType>? arguments)
    {
        var k = new KernelBuilder(Name, arguments);
        definition(k);
        return new(k.Finish());
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Origin})";
}

/// <summary>A tile program as the graph calls it: its read buffers are the inputs, its written ones the results.</summary>
public sealed class TileKernel(TileProgram program) : GraphKernel
{
    /// <summary>The program. Its inputs come before its outputs.</summary>
    public TileProgram Program => program;

    /// <inheritdoc/>
    public override string Name => program.Name;

    /// <inheritdoc/>
    public override string Text { get; } = TileText.Print(program);

    /// <inheritdoc/>
    public override IReadOnlyList<NodeType> Inputs { get; } = [.. program.Buffers.Where(buffer =>
        !buffer.Written).Select(TypeOf)];

    /// <inheritdoc/>
    public override IReadOnlyList<NodeType> Outputs { get; } = [.. program.Buffers.Where(buffer =>
        buffer.Written).Select(TypeOf)];

    /// <summary>The kernel that a text of the tile level describes: how the graph's parser reads calls.</summary>
    /// <exception cref="KernelException">The text is no tile program.</exception>
    public static TileKernel Parse(string text) => new(TileText.Parse(text));

    /// <inheritdoc/>
    public override Value[] Evaluate(IReadOnlyList<Value> inputs)
    {
        var arrays = inputs.Concat(Outputs.Select(output => Value.Zeros(output.Shape.Values))).ToArray();
        TileInterpreter.RunFresh(program, arrays);
        return arrays[inputs.Count..];
    }

    /// <inheritdoc/>
    public override GraphKernel Substitute(Func<Symbol, Extent> values) =>
        new TileKernel(ProgramSubstitution.Of(program, values));

    static NodeType TypeOf(TileBuffer buffer) => new(buffer.DType, buffer.Shape);
}
