using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>Runs programs in the reference interpreter: slow, and what every other backend is compared with.</summary>
/// <remarks>Computes in double precision and rounds results, not intermediates, to their element types.</remarks>
public sealed class ReferenceBackend : IBackend
{
    /// <inheritdoc/>
    public string Name => "reference";

    /// <inheritdoc/>
    public Buffer Allocate(long bytes) => HostBuffer.Allocate(bytes);

    /// <inheritdoc/>
    public IProgram Compile(Function function, CompileOptions options) => new InterpretedProgram(function);

    sealed class InterpretedProgram(Function function) : IProgram
    {
        public IReadOnlyList<Symbol> Symbols { get; } = function.Symbols;

        public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, ReadOnlySpan<long> symbols)
        {
            long[] values = symbols.ToArray();
            long Number(Symbol symbol) => values[Symbols.Index().First(pair => pair.Item == symbol).Index];
            var arguments = new Value[inputs.Length];
            for (int i = 0; i < arguments.Length; i++)
            {
                var parameter = function.Parameters[i];
                arguments[i] =
                    Storage.Load(inputs[i], parameter.DType, [.. parameter.Shape.Select(extent => extent.Evaluate(Number))]);
            }
            var results = Interpreter.Run(function, arguments, Number);
            for (int i = 0; i < results.Length; i++) Storage.Store(results[i].Data, function.Results[i].DType, outputs[i]);
        }

        public string Describe() => $"interpreted, {function.Order().Count} nodes";
    }
}
