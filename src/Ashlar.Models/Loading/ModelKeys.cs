using System.Diagnostics.CodeAnalysis;

namespace Ashlar.Models;

/// <summary>The settings of a model as its files give them: keys of a config.json (<see cref="JsonKeys"/>), or metadata of a GGUF
/// file (<see cref="GgufKeys"/>). Knows which were read, so that none is overlooked.</summary>
/// <remarks>
/// A family reads what it knows, says by <see cref="Ignore"/> and <see cref="Allow{T}"/> which keys change nothing or must have
/// one value, and ends with <see cref="ThrowIfUnread"/>: a key that nobody knows may change every result, so it is an error. A
/// key that is null counts as absent. Not thread-safe.
/// </remarks>
public abstract class ModelKeys
{
    const int MostLayers = 10_000;   // published ones have hundreds

    readonly HashSet<string> read = new(StringComparer.Ordinal);

    private protected ModelKeys(string source) => Source = source;

    /// <summary>What errors call the settings: the path of the file, and a part of it where this is one.</summary>
    public string Source { get; }

    /// <summary>What the file says that the model is: the <c>model_type</c> of a config.json, the architecture of a GGUF
    /// file.</summary>
    public abstract string Family { get; }

    /// <summary>Every key that is not null.</summary>
    public abstract IReadOnlyList<string> All { get; }

    /// <summary>Whether a key is there and not null. Does not count as reading it.</summary>
    public abstract bool Has(string key);

    /// <summary>A whole number.</summary>
    /// <exception cref="ModelFileException">The key is missing (ASH0731), or its value is no whole number of 32 bits
    /// (ASH0732).</exception>
    public int Integer(string key) => ReadInteger(Required(key));

    /// <summary>A whole number, or another where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no whole number of 32 bits.</exception>
    public int Integer(string key, int otherwise) => Mark(key) ? ReadInteger(key) : otherwise;

    /// <summary>A whole number, or null where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no whole number of 32 bits.</exception>
    public int? IntegerOrNone(string key) => Mark(key) ? ReadInteger(key) : null;

    /// <summary>How many layers there are: a list of so many things can be made.</summary>
    /// <exception cref="ModelFileException">The key is missing (ASH0731), or its value is no number of layers
    /// (ASH0732).</exception>
    public int Layers(string key) =>
        Integer(key) is >= 1 and <= MostLayers and var layers ? layers
        : throw Wrong(key, $"is {ReadInteger(key)}, but models have 1 to {MostLayers} layers");

    /// <summary>A number.</summary>
    /// <exception cref="ModelFileException">The key is missing (ASH0731), or its value is no finite number (ASH0732).</exception>
    public double Number(string key) => ReadNumber(Required(key));

    /// <summary>A number, or another where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no finite number.</exception>
    public double Number(string key, double otherwise) => Mark(key) ? ReadNumber(key) : otherwise;

    /// <summary>A number, or null where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no finite number.</exception>
    public double? NumberOrNone(string key) => Mark(key) ? ReadNumber(key) : null;

    /// <summary>True or false.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is neither.</exception>
    public bool Flag(string key, bool otherwise) => Mark(key) ? ReadFlag(key) : otherwise;

    /// <summary>A text.</summary>
    /// <exception cref="ModelFileException">The key is missing (ASH0731), or its value is no text (ASH0732).</exception>
    public string Text(string key) => ReadText(Required(key));

    /// <summary>A text, or another where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no text.</exception>
    public string Text(string key, string otherwise) => Mark(key) ? ReadText(key) : otherwise;

    /// <summary>A list of numbers; null where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no list of finite numbers.</exception>
    public double[]? Numbers(string key) => Mark(key) ? ReadNumbers(key) : null;

    /// <summary>A list of texts; null where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no list of texts.</exception>
    public string[]? Texts(string key) => Mark(key) ? ReadTexts(key) : null;

    /// <summary>A list of truth values; null where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no list of truth values.</exception>
    public bool[]? Flags(string key) => Mark(key) ? ReadFlags(key) : null;

    /// <summary>Whether the value of a key is a list. Does not count as reading it.</summary>
    public abstract bool IsList(string key);

    /// <summary>An object within the config; null where the key is absent. Its keys are to be read, too: it has its own
    /// <see cref="ThrowIfUnread"/>.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no object.</exception>
    public ModelKeys? Part(string key) => Mark(key) ? ReadPart(key) : null;

    /// <summary>The objects of a list; none where the key is absent.</summary>
    /// <exception cref="ModelFileException">ASH0732: the value is no list of objects.</exception>
    public IReadOnlyList<ModelKeys> Parts(string key) => Mark(key) ? ReadParts(key) : [];

    /// <summary>Keys that change nothing that is computed here, whatever their values.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys) read.Add(key);
    }

    /// <summary>A key that Ashlar knows but for which it computes one value alone.</summary>
    /// <param name="key">It may be absent.</param>
    /// <param name="only">The value that it must have then; null: it must be absent.</param>
    /// <typeparam name="T">int, double, bool or string.</typeparam>
    /// <exception cref="ModelFileException">ASH0734: it has another.</exception>
    public void Allow<T>(string key, T only) where T : notnull
    {
        if (!Mark(key)) return;
        object found = only switch
        {
            int => ReadInteger(key),
            double => ReadNumber(key),
            bool => ReadFlag(key),
            _ => ReadText(key),
        };
        if (!found.Equals(only)) throw Unsupported(key, Written(found), $"only {Written(only)} is computed");
    }

    /// <summary>A key that must be absent or null.</summary>
    /// <exception cref="ModelFileException">ASH0734: it is not.</exception>
    public void AllowNone(string key)
    {
        if (Mark(key)) throw Unsupported(key, "set", "only models without it are computed");
    }

    /// <summary>The error for a setting that Ashlar knows and does not compute.</summary>
    /// <param name="key">The key.</param>
    /// <param name="found">Its value.</param>
    /// <param name="computed">What is computed instead, as an end of a sentence.</param>
    public ModelFileException Unsupported(string key, string found, string computed) => new("ASH0734",
        $"{Source} has {key} = {found}, but {computed}.",
        "take a model without this setting; what it would say here could not be trusted.");

    /// <summary>The error for a value that cannot be.</summary>
    /// <param name="key">The key.</param>
    /// <param name="problem">What its value is and should be, as an end of a sentence.</param>
    public ModelFileException Wrong(string key, string problem) => new("ASH0732",
        $"{Source}: {key} {problem}.",
        "download the file again; if it is as published, its model is not one that Ashlar can run.");

    /// <summary>Fails where there are keys that were neither read nor ignored.</summary>
    /// <exception cref="ModelFileException">ASH0733: the error names them.</exception>
    public void ThrowIfUnread()
    {
        string[] unread = [.. All.Where(key => !read.Contains(key)).Order(StringComparer.Ordinal)];
        if (unread.Length == 0) return;
        string more = unread.Length > 5 ? $" and {unread.Length - 5} more" : "";
        throw new ModelFileException("ASH0733",
            $"{Source} has settings that Ashlar does not know for a model of type '{Family}': {string.Join(", ", unread.Take(5))}{more}.",
            "a setting may change every result: take a model without it, or remove the key where you know that it changes nothing.");
    }

    private protected abstract int ReadInteger(string key);

    private protected abstract double ReadNumber(string key);

    private protected abstract bool ReadFlag(string key);

    private protected abstract string ReadText(string key);

    private protected abstract double[] ReadNumbers(string key);

    private protected abstract string[] ReadTexts(string key);

    private protected abstract bool[] ReadFlags(string key);

    private protected abstract ModelKeys ReadPart(string key);

    private protected abstract IReadOnlyList<ModelKeys> ReadParts(string key);

    bool Mark(string key)
    {
        read.Add(key);
        return Has(key);
    }

    string Required(string key)
    {
        if (!Mark(key)) ThrowMissing(key);
        return key;
    }

    [DoesNotReturn]
    void ThrowMissing(string key) => throw new ModelFileException("ASH0731",
        $"{Source} has no {key}, without which a model of type '{Family}' cannot be built.", "download the file again.");

    static string Written(object value) => value is bool flag ? flag ? "true" : "false"
        : Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!;
}
