using Ashlar.Models;

namespace Ashlar.Serving;

/// <summary>How well a model foretells a text: e to the mean surprise of its tokens. Lower is better; a model that knows nothing
/// has as much as it has tokens.</summary>
/// <remarks>
/// The text is cut into windows of as many tokens as a chunk of the engine has, each read afresh, and every token but a window's
/// first counts. Figures compare between weights of one model with one tokenizer only.
/// </remarks>
public static class Perplexity
{
    /// <summary>The perplexity of a text.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">At least two tokens.</param>
    /// <param name="cancellation">Looked at between windows.</param>
    /// <exception cref="ModelException">ASH0355: the text has less than two tokens.</exception>
    public static double Of(LanguageModel model, string text, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        int[] tokens = model.Tokenizer.Encode(text);
        if (tokens.Length < 2)
            throw new ModelException("ASH0355", $"a text of {tokens.Length} tokens has none that follows another.",
                "give a longer text.");
        int window = Math.Min(model.Engine.Options.Chunk, model.Engine.MostTokens), vocabulary = model.Decoder.Config.Vocabulary;
        double surprise = 0;
        long counted = 0;
        for (int first = 0; first + 1 < tokens.Length; first += window)
        {
            cancellation.ThrowIfCancellationRequested();
            var part = tokens.AsSpan(first, Math.Min(window, tokens.Length - first));
            using var state = model.Engine.NewText(part.Length);
            float[] logits = model.Engine.ReadAll(state, part);
            for (int i = 0; i + 1 < part.Length; i++, counted++)
                surprise -= Sampler.LogProbability(logits.AsSpan(i * vocabulary, vocabulary), part[i + 1]);
        }
        return Math.Exp(surprise / Math.Max(1, counted));
    }
}
