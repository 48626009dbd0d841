using System.Runtime.CompilerServices;
using Ashlar.Graph;
using Ashlar.Runtime;

namespace Ashlar;

/// <summary>A named place to run programs. A program registers one before it reads its first tensor.</summary>
/// <remarks>Nothing above the runtime names a concrete backend, so that one library serves all: <c>Device.Use(new
/// CpuBackend());</c></remarks>
public sealed class Device
{
    // The only static state of the runtime: tensors are made everywhere, and passing a device to each would be noise.
    static volatile Device? chosen;
    static readonly AsyncLocal<Device?> selected = new();

    /// <summary>The device that runs programs on this backend.</summary>
    /// <param name="backend">Allocates memory and compiles.</param>
    /// <param name="level">How far programs are optimised; null takes ASHLAR_LEVEL, or O2 where it is not set.</param>
    /// <exception cref="DeviceException">ASHLAR_LEVEL names no level.</exception>
    public Device(IBackend backend, OptimizationLevel? level = null)
    {
        ArgumentNullException.ThrowIfNull(backend);
        Backend = backend;
        Level = level ?? Levels.Parse(AshlarEnvironment.Level.Value);
        Programs = new(this);
    }

    /// <summary>The name of the backend: <c>cpu</c>, <c>reference</c>.</summary>
    public string Name => Backend.Name;

    /// <summary>Allocates memory and compiles.</summary>
    public IBackend Backend { get; }

    /// <summary>How far programs are optimised.</summary>
    public OptimizationLevel Level { get; }

    /// <summary>The programs compiled so far.</summary>
    public ProgramCache Programs { get; }

    /// <summary>What was computed here, for as long as somebody holds the node. By device, so that two devices can be
    /// compared.</summary>
    internal ConditionalWeakTable<Node, Node> Computed { get; } = [];

    /// <summary>The device on which tensors are computed: the one selected here, or the one that <see cref="Use"/> named
    /// last.</summary>
    /// <exception cref="DeviceException">None was named.</exception>
    public static Device Default => Current ?? throw new DeviceException("ASH0610",
        "a tensor must be computed, but no device is registered.",
        "add 'Device.Use(new CpuBackend());' at the start of the program, with 'using Ashlar.Backends.Cpu;' and a reference to the project Ashlar.Backends.Cpu.");

    /// <summary><see cref="Default"/>, or null where none was named.</summary>
    public static Device? Current => selected.Value ?? chosen;

    /// <summary>Registers a backend and makes it the default of the whole program.</summary>
    /// <returns>Its device.</returns>
    public static Device Use(IBackend backend, OptimizationLevel? level = null) => chosen = new(backend, level);

    /// <summary>Makes this the default of the current flow of control until the result is disposed.</summary>
    public Selection Select()
    {
        var before = selected.Value;
        selected.Value = this;
        return new(before);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Ends a <see cref="Select"/>.</summary>
    public readonly struct Selection : IDisposable
    {
        readonly Device? before;

        internal Selection(Device? before) => this.before = before;

        /// <summary>Makes the earlier default the default again.</summary>
        public void Dispose() => selected.Value = before;
    }
}
