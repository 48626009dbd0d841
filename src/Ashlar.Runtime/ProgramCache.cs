using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>The programs of a device, by structure: functions of equal nodes share one, whatever data they run on.</summary>
/// <remarks>Nodes are hash-consed, so equal structure is equal references. Thread-safe. Drops what was not used for
/// longest.</remarks>
public sealed class ProgramCache
{
    const int Capacity = 1024;

    readonly Lock gate = new();
    readonly Dictionary<Key, Entry> programs = [];
    readonly Device device;
    long clock;

    internal ProgramCache(Device device) => this.device = device;

    /// <summary>How many programs it holds.</summary>
    public int Count
    {
        get
        {
            lock (gate) return programs.Count;
        }
    }

    /// <summary>How many times something was compiled.</summary>
    public long Compilations { get; private set; }

    /// <summary>The program of a function; compiled if it is not there.</summary>
    /// <param name="function">What to compute.</param>
    /// <param name="donations">Pairs (result, parameter) that share one buffer.</param>
    public Executable Get(Function function, ValueList<(int Result, int Parameter)>? donations = null)
    {
        var key = new Key(function, donations ?? []);
        lock (gate)
        {
            if (!programs.TryGetValue(key, out var entry))
            {
                if (programs.Count >= Capacity) Shrink();
                programs[key] = entry = new(new(device, function, key.Donations));
                Compilations++;
            }
            entry.Used = ++clock;
            return entry.Executable;
        }
    }

    void Shrink()
    {
        long middle = programs.Values.Select(entry => entry.Used).Order().ElementAt(programs.Count / 2);
        foreach (var (key, entry) in programs.ToArray())
            if (entry.Used < middle) programs.Remove(key);
    }

    readonly record struct Key(Function Function, ValueList<(int Result, int Parameter)> Donations);

    sealed class Entry(Executable executable)
    {
        public Executable Executable => executable;

        public long Used { get; set; }
    }
}
