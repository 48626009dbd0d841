namespace Ashlar.Models;

/// <summary>A model that goes on from a prompt, token by token, with a key/value cache.</summary>
/// <remarks>
/// Two compiled programs serve every length: one reads prompts, one the token chosen last. When the context is full, the later
/// half of it is read anew and the text goes on. Holds one cache: for one text at a time and one thread.
/// </remarks>
public sealed class Decoding
{
    readonly Gpt model;
    readonly Sampler sampler;
    readonly Func<Tensor, Tensor, Tensor> read;
    readonly int[] last = new int[1];
    readonly Tensor[] places;

    /// <summary>Prepares a model.</summary>
    public Decoding(Gpt model)
    {
        ArgumentNullException.ThrowIfNull(model);
        this.model = model;
        sampler = new(model.Config.Vocabulary);
        var cache = model.NewCache();
        var count = new Symbol("T", 1, model.Config.Context);
        read = Compiled.Step((Tensor tokens, Tensor position) => model.NextLogits(tokens, cache, position), [1, count], []);
        places = [.. Enumerable.Range(0, model.Config.Context).Select(Tensor.Of)];
    }

    /// <summary>The tokens that follow a prompt, each as soon as it is chosen.</summary>
    /// <param name="prompt">At least one token; of a prompt longer than the context the end counts.</param>
    /// <param name="count">How many tokens at most.</param>
    /// <param name="options">How each is chosen.</param>
    /// <param name="seed">Which random numbers; equal seeds give equal texts.</param>
    /// <param name="isLast">Ends the text after a token, which is still returned; null: nothing does.</param>
    public IEnumerable<int> Generate(
        ReadOnlyMemory<int> prompt, int count, SamplingOptions options, int seed = 0, Func<int, bool>? isLast = null)
    {
        if (prompt.IsEmpty) throw new ArgumentException("a prompt needs at least one token.", nameof(prompt));
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return Tokens(prompt.ToArray(), count, options, new Random(seed), isLast);
    }

    IEnumerable<int> Tokens(int[] prompt, int count, SamplingOptions options, Random random, Func<int, bool>? isLast)
    {
        int context = model.Config.Context;
        List<int> text = [.. prompt.AsSpan(Math.Max(0, prompt.Length - context))];
        int known = 0;   // tokens of the text that the cache holds
        for (int i = 0; i < count; i++)
        {
            if (text.Count > context)
            {
                text.RemoveRange(0, text.Count - Math.Max(1, context / 2));
                known = 0;
            }
            int fresh = text.Count - known;
            var tokens = fresh == 1 ? Last(text[^1]) : Tensor.From<int>(text.ToArray().AsSpan(known), [1, fresh]);
            var logits = read(tokens, places[known]);
            known = text.Count;
            int next = logits.Read((ReadOnlySpan<float> scores) => sampler.Sample(scores, options, random.NextDouble()));
            yield return next;
            if (isLast?.Invoke(next) == true) yield break;
            text.Add(next);
        }
    }

    Tensor Last(int token)
    {
        last[0] = token;
        return Tensor.From<int>(last, [1, 1]);
    }
}
