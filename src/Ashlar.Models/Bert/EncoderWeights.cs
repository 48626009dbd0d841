using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>Reads weights of a file as float32 numbers, checks their extents, and knows which were read.</summary>
/// <remarks>For small models and small weights, such as norms and biases. Not thread-safe.</remarks>
sealed class EncoderWeights
{
    readonly HashSet<string> read = new(StringComparer.Ordinal);

    /// <summary>A reader of a file.</summary>
    public EncoderWeights(WeightFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        File = file;
    }

    /// <summary>The file.</summary>
    public WeightFile File { get; }

    /// <summary>Whether the file has a weight of this name. Does not count as reading it.</summary>
    public bool Has(string name) => File.TryGet(name, out _);

    /// <summary>The elements of a weight.</summary>
    /// <param name="name">Its name in the file.</param>
    /// <param name="extents">What its extents must be, outermost first.</param>
    /// <exception cref="ModelFileException">There is none of this name, or it is of a type that cannot be decoded.</exception>
    /// <exception cref="ModelException">ASH0342: its extents are others. ASH0736: a number is NaN or infinite.</exception>
    public float[] Floats(string name, params ReadOnlySpan<int> extents)
    {
        var entry = File[name];
        read.Add(name);
        bool fits = entry.Extents.Count == extents.Length;
        for (int i = 0; i < extents.Length && fits; i++) fits = entry.Extents[i] == extents[i];
        if (!fits)
            throw new ModelException("ASH0342",
                $"the weight '{name}' needs the shape [{string.Join(", ", extents.ToArray())}], but {File.Path} holds {entry}.",
                "check the widths of the model's config against the weights.");
        var numbers = new float[checked((int)entry.Elements)];
        BlockCodec.Of(entry.Type).Decode(File.Bytes(entry).Span, numbers);
        foreach (float number in numbers)
            if (!float.IsFinite(number))
                throw new ModelException("ASH0736",
                    $"the weight '{name}' of {File.Path} holds {number}.", "the file is damaged, or its training went wrong: download it again.");
        return numbers;
    }

    /// <summary>A weight as a tensor.</summary>
    /// <inheritdoc cref="Floats"/>
    public Tensor Tensor(string name, params ReadOnlySpan<int> extents) => Ashlar.Tensor.From<float>(Floats(name, extents), (Shape)extents.ToArray());

    /// <summary>A matrix that the file has as [outputs, inputs], turned to [inputs, outputs].</summary>
    /// <param name="outputs">Rows in the file.</param>
    /// <param name="inputs">Columns in the file.</param>
    /// <param name="names">Several lie above each other: their outputs follow each other; each has as many.</param>
    /// <exception cref="ModelFileException">A name is not in the file.</exception>
    /// <exception cref="ModelException">ASH0342: a matrix has other extents.</exception>
    public Tensor Turned(int outputs, int inputs, params ReadOnlySpan<string> names)
    {
        int all = outputs * names.Length;
        var turned = new float[inputs * all];
        for (int n = 0; n < names.Length; n++)
        {
            float[] part = Floats(names[n], outputs, inputs);
            for (int o = 0; o < outputs; o++)
                for (int i = 0; i < inputs; i++)
                    turned[i * all + n * outputs + o] = part[o * inputs + i];
        }
        return Ashlar.Tensor.From<float>(turned, [inputs, all]);
    }

    /// <summary>Vectors, one behind the other.</summary>
    /// <param name="width">How long each is.</param>
    /// <param name="names">Their names.</param>
    /// <exception cref="ModelFileException">A name is not in the file.</exception>
    /// <exception cref="ModelException">ASH0342: a vector has another length.</exception>
    public Tensor Joined(int width, params ReadOnlySpan<string> names)
    {
        var joined = new float[width * names.Length];
        for (int n = 0; n < names.Length; n++) Floats(names[n], width).CopyTo(joined, n * width);
        return Ashlar.Tensor.From<float>(joined, [joined.Length]);
    }

    /// <summary>Weights that the file may have and that are not needed.</summary>
    public void Ignore(Func<string, bool> isUnneeded)
    {
        ArgumentNullException.ThrowIfNull(isUnneeded);
        foreach (var entry in File.Entries)
            if (isUnneeded(entry.Name)) read.Add(entry.Name);
    }

    /// <summary>Fails where the file has weights that were neither read nor ignored: it is of another model.</summary>
    /// <exception cref="ModelException">ASH0343: the error names them.</exception>
    public void ThrowIfUnread()
    {
        string[] unread = [.. File.Entries.Select(entry => entry.Name).Where(name => !read.Contains(name)).Order(StringComparer.Ordinal)];
        if (unread.Length == 0) return;
        string more = unread.Length > 3 ? $" and {unread.Length - 3} more" : "";
        throw new ModelException("ASH0343",
            $"{File.Path} holds {string.Join(", ", unread.Take(3).Select(name => $"'{name}'"))}{more}, which no layer asked for.",
            "check that the model's config is that of the weights.");
    }
}
