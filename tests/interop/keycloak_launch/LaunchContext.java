import java.util.List;
import org.keycloak.models.ClientSessionContext;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.ProtocolMapperModel;
import org.keycloak.models.UserSessionModel;
import org.keycloak.protocol.oidc.mappers.AbstractOIDCProtocolMapper;
import org.keycloak.protocol.oidc.mappers.OIDCAccessTokenResponseMapper;
import org.keycloak.provider.ProviderConfigProperty;
import org.keycloak.representations.AccessTokenResponse;

/**
 * What Keycloak lacks for a launch from an EHR: the token answer names the patient whom the `launch` of the login means.
 *
 * <p>An EHR would be asked; here the mapper's own configuration says it: `launch value` = `patient`.
 */
public class LaunchContext extends AbstractOIDCProtocolMapper implements OIDCAccessTokenResponseMapper {
  /** How Keycloak names, in the session of a client, a parameter of the login that it does not know. */
  private static final String LAUNCH = "client_request_param_launch";

  @Override
  public AccessTokenResponse transformAccessTokenResponse(
      AccessTokenResponse response,
      ProtocolMapperModel mapper,
      KeycloakSession keycloak,
      UserSessionModel user,
      ClientSessionContext client) {
    var launch = client.getClientSession().getNote(LAUNCH);
    var patient = launch == null ? null : mapper.getConfig().get(launch);
    if (patient != null) response.setOtherClaims("patient", patient);
    return response;
  }

  @Override
  public String getId() {
    return "launch-context";
  }

  @Override
  public String getDisplayType() {
    return "Launch context";
  }

  @Override
  public String getDisplayCategory() {
    return TOKEN_MAPPER_CATEGORY;
  }

  @Override
  public String getHelpText() {
    return "Names the patient of a launch in the token answer.";
  }

  @Override
  public List<ProviderConfigProperty> getConfigProperties() {
    return List.of();
  }
}
