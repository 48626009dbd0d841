namespace Ashlar.Tiles;

/// <summary>One config of a kernel.</summary>
/// <param name="Config">Its text.</param>
/// <param name="Define">The kernel, defined when it is first asked for.</param>
/// <param name="Cost">Its place in the order of trying: the least first.</param>
public sealed record KernelOption(string Config, Lazy<Kernel> Define, double Cost);

/// <summary>A kernel with configs to choose from. Called like a kernel, it runs the config that was tuned for its arguments, or
/// the first.</summary>
/// <remarks>Made by <see cref="Kernel.Choose"/>.</remarks>
public sealed class KernelChoice
{
    internal KernelChoice(IReadOnlyList<KernelOption> options)
    {
        if (options.Count == 0)
            throw new KernelException("ASH0589", "a kernel has no configs to choose from.",
                "give at least one to Kernel.Choose; the first is the default.");
        if (options.GroupBy(option => option.Config).FirstOrDefault(group => group.Count() > 1) is { } equal)
            throw new KernelException("ASH0589", $"two configs of a kernel have the same text, '{equal.Key}'.",
                "make configs records, whose text names their values, and give each once.");
        Options = options;
    }

    /// <summary>The configs, the default first.</summary>
    public IReadOnlyList<KernelOption> Options { get; }

    /// <summary>The kernel that runs without tuning.</summary>
    public Kernel Default => Options[0].Define.Value;

    /// <summary>The name that its kernels share.</summary>
    public string Name => Default.Name;

    /// <summary>The kernel of the config with this text; null where no config has it.</summary>
    public Kernel? Find(string config) => Options.FirstOrDefault(option => option.Config == config)?.Define.Value;
}
