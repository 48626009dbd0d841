using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>Computes nodes: many at once as one program, and remembers where their values lie.</summary>
public static class Realizer
{
    /// <summary>Computes what is not computed yet.</summary>
    /// <param name="nodes">Nodes of constant shape that depend on buffers and constants alone.</param>
    /// <param name="device">Where to compute; null takes the default, which need not exist where nothing is to be
    /// computed.</param>
    /// <returns>The leaf that holds the value of each node.</returns>
    /// <exception cref="DeviceException">No device is registered.</exception>
    /// <exception cref="TraceException">A node depends on an argument of a traced function.</exception>
    public static Node[] Realize(IReadOnlyList<Node> nodes, Device? device = null)
    {
        var known = new Dictionary<Node, Node>();
        foreach (var node in nodes)
            if (Leaf.Find(node) is { } leaf) known[node] = leaf;
        Node[] roots = [.. nodes.Where(node => !known.ContainsKey(node)).Distinct()];
        if (roots.Length > 0) Compute(roots, device ?? Device.Default, known);
        return [.. nodes.Select(node => known[node])];
    }

    static void Compute(Node[] roots, Device device, Dictionary<Node, Node> known)
    {
        var capture = Capture.Of(roots, [], Leaf.Find);
        var executable = device.Programs.Get(capture.Function);
        var inputs = new Buffer[capture.Buffers.Count];
        var shapes = new Shape[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
            (inputs[i], shapes[i]) = (Leaf.BufferOf(capture.Buffers[i]), capture.Buffers[i].Shape);
        var outputs = new Buffer?[roots.Length];
        executable.Run(inputs, shapes, outputs, new Shape[roots.Length]);
        GC.KeepAlive(inputs);
        for (int i = 0; i < roots.Length; i++)
        {
            var leaf = known[roots[i]] = Leaf.Of(outputs[i]!, roots[i].DType, roots[i].Shape);
            // A constant is cheaper to make again in each program than to read.
            if (roots[i].Op is not (Op.Constant or Op.Iota or Op.Size)) device.Computed.AddOrUpdate(roots[i], leaf);
        }
    }
}
