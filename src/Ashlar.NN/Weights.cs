namespace Ashlar.NN;

/// <summary>Where layers get their parameters: new ones by an initialiser, or those of a file. Knows all that were asked
/// for.</summary>
/// <remarks>
/// A layer asks in its constructor, by a name within its scope; the full name is the path of scopes, joined by dots. So names of
/// checkpoints are in the code, and optimizers and loaders need nothing but the weights. Not thread-safe.
/// </remarks>
public sealed class Weights
{
    readonly Source source;
    readonly string path;   // ends with a dot; empty at the root

    Weights(Source source, string path) => (this.source, this.path) = (source, path);

    /// <summary>Weights that begin as each layer's initialiser says.</summary>
    /// <param name="seed">Which random numbers.</param>
    /// <param name="dtype">The element type of all parameters; a float.</param>
    public static Weights Random(long seed, DType dtype = DType.Float32) => new(new(seed, null, dtype), "");

    /// <summary>Weights that begin as named tensors, such as those of a file.</summary>
    /// <param name="tensors">By full name.</param>
    /// <param name="dtype">The element type of all parameters; null keeps that of each tensor.</param>
    /// <remarks>
    /// Layers fail that ask for a name that is not there, or for another shape. After all layers were made,
    /// <see cref="ThrowIfUnused"/> fails where names are left over.
    /// </remarks>
    public static Weights From(IReadOnlyDictionary<string, Tensor> tensors, DType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        return new(new(0, tensors, dtype), "");
    }

    /// <summary>The same weights, seen by a layer: names that it asks for begin with <paramref name="name"/> and a dot.</summary>
    /// <param name="name">May hold dots itself: <c>h.0</c>.</param>
    public Weights Scope(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new(source, $"{path}{name}.");
    }

    /// <summary>The path of this scope, as errors write it: <c>h.0.attn</c>; empty at the root.</summary>
    public string Path => path.TrimEnd('.');

    /// <summary>A parameter, to be learned.</summary>
    /// <param name="name">Within this scope: <c>weight</c>.</param>
    /// <param name="shape">Constant extents.</param>
    /// <param name="initial">How it begins, where the weights are not from a file.</param>
    /// <param name="isTable">Whether it is a row per token, not a matrix that mixes.</param>
    /// <exception cref="ModelException">The name was asked for before, the file lacks it, or has it in another shape.</exception>
    public Parameter Get(string name, Shape shape, Initial initial, bool isTable = false)
    {
        var parameter = new Parameter(GetState(name, shape, initial), isTable);
        source.Parameters.Add(parameter);
        return parameter;
    }

    /// <summary>A state that belongs to the model but is not learned by gradients, such as a running mean.</summary>
    /// <param name="name">Within this scope.</param>
    /// <param name="shape">Constant extents.</param>
    /// <param name="initial">How it begins, where the weights are not from a file.</param>
    /// <exception cref="ModelException">The name was asked for before, the file lacks it, or has it in another shape.</exception>
    public State GetState(string name, Shape shape, Initial initial)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(initial);
        string full = path + name;
        if (!source.Names.Add(full)) throw new ModelException("ASH0344",
            $"the parameter '{full}' was asked for twice.",
            "give each layer a scope of its own; to share a parameter, pass the Parameter itself.");
        var state = new State(full, source.Value(full, shape, initial));
        source.States.Add(state);
        return state;
    }

    /// <summary>The parameters of this scope and those below it, in the order in which layers asked for them.</summary>
    public IReadOnlyList<Parameter> Parameters =>
        path.Length == 0 ? source.Parameters : [.. source.Parameters.Where(parameter => IsBelow(parameter.Name))];

    /// <summary>All that a checkpoint of the model holds: parameters, and states that are not learned, in the order of
    /// asking.</summary>
    public IReadOnlyList<State> States =>
        path.Length == 0 ? source.States : [.. source.States.Where(state => IsBelow(state.Name))];

    /// <summary>How many numbers are learned.</summary>
    public long ParameterCount => Parameters.Sum(parameter => parameter.Shape.Elements.Value);

    /// <summary>Fails where the weights are from a file that has names which no layer asked for: the file is of another
    /// model.</summary>
    /// <exception cref="ModelException">Names are left over.</exception>
    public void ThrowIfUnused()
    {
        if (source.Tensors is null) return;
        string[] unused = [.. source.Tensors.Keys.Where(name => !source.Names.Contains(name)).Order(StringComparer.Ordinal)];
        if (unused.Length == 0) return;
        string more = unused.Length > 3 ? $" and {unused.Length - 3} more" : "";
        throw new ModelException("ASH0343",
            $"the weights hold {string.Join(", ", unused.Take(3).Select(name => $"'{name}'"))}{more}, which no layer asked for.",
            "check that the model's config is that of the weights, or leave these names out.");
    }

    bool IsBelow(string name) => name.StartsWith(path, StringComparison.Ordinal);

    // What all scopes share.
    sealed class Source(long seed, IReadOnlyDictionary<string, Tensor>? tensors, DType? dtype)
    {
        public IReadOnlyDictionary<string, Tensor>? Tensors => tensors;

        public HashSet<string> Names { get; } = [];

        public List<Parameter> Parameters { get; } = [];

        public List<State> States { get; } = [];

        public Tensor Value(string name, Shape shape, Initial initial)
        {
            if (tensors is null) return initial.Make(shape, dtype ?? DType.Float32, seed, name);
            if (!tensors.TryGetValue(name, out var tensor))
                throw new ModelException("ASH0341",
                    $"the weights have no '{name}' of shape {shape}.{SimilarNames.Text(name, tensors.Keys)}",
                    "check that the model's config is that of the weights.");
            if (tensor.Shape != shape)
                throw new ModelException("ASH0342",
                    $"the parameter '{name}' needs the shape {shape}, but the weights hold {tensor.Type}.",
                    shape.Rank == 2 && tensor.Rank == 2 && shape[0] == tensor.Shape[1] && shape[1] == tensor.Shape[0]
                        ? "transpose it: these weights keep matrices as [outputs, inputs]."
                        : "check the widths of the model's config against the weights.");
            return dtype is { } wanted ? tensor.Cast(wanted) : tensor;
        }
    }
}
