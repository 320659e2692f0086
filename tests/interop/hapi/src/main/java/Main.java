import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binary.svc.NullBinaryStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import com.zaxxer.hikari.HikariDataSource;
import jakarta.persistence.EntityManagerFactory;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Properties;
import javax.sql.DataSource;
import org.apache.catalina.startup.Tomcat;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/**
 * HAPI's JPA server for R4 with a database in memory, on 127.0.0.1: `Main PORT SMART`, base /fhir.
 *
 * <p>HAPI has no SMART configuration of its own: it is the file SMART, read anew each time, once it is there.
 *
 * <p>GET /forget drops all searches, as its own clean-up does when they are old: what page links lead to is gone.
 */
public class Main {
  /** Longer than any test: no search is dropped, nor done anew, by the clock. */
  private static final long KEPT_MILLISECONDS = 4 * 3600 * 1000;

  /** Arguments: the port, and the file with the SMART configuration. */
  public static void main(String[] arguments) throws Exception {
    var context = new AnnotationConfigApplicationContext(Parts.class);
    var tomcat = new Tomcat();
    tomcat.setBaseDir(System.getProperty("java.io.tmpdir"));
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    tomcat.getConnector().setProperty("compression", "on");
    tomcat.getConnector().setPort(Integer.parseInt(arguments[0]));
    var root = tomcat.addContext("", null);
    Tomcat.addServlet(root, "fhir", server(context)).setLoadOnStartup(1);
    root.addServletMappingDecoded("/fhir/*", "fhir");
    Tomcat.addServlet(root, "forget", new Forget(context.getBean(DataSource.class)));
    root.addServletMappingDecoded("/forget", "forget");
    Tomcat.addServlet(root, "smart", new Smart(Path.of(arguments[1])));
    root.addServletMappingDecoded("/fhir/.well-known/smart-configuration", "smart");
    tomcat.start();
    tomcat.getServer().await();
  }

  private static RestfulServer server(AnnotationConfigApplicationContext context) {
    var server = new RestfulServer(context.getBean(FhirContext.class));
    server.registerProviders(context.getBean("myResourceProvidersR4", ResourceProviderFactory.class).createProviders());
    server.registerProvider(context.getBean(IJpaSystemProvider.class));
    server.setPagingProvider(context.getBean(DatabaseBackedPagingProvider.class));
    server.setServerConformanceProvider(
        new JpaCapabilityStatementProvider(
            server,
            context.getBean(IFhirSystemDao.class),
            context.getBean(JpaStorageSettings.class),
            context.getBean(ISearchParamRegistry.class),
            context.getBean(IValidationSupport.class)));
    return server;
  }

  /** Drops the searches that the database holds. */
  private static class Forget extends HttpServlet {
    private final transient DataSource database;

    Forget(DataSource database) {
      this.database = database;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
      try (var connection = database.getConnection(); var statement = connection.createStatement()) {
        for (var table : List.of("HFJ_SEARCH_RESULT", "HFJ_SEARCH_INCLUDE", "HFJ_SEARCH")) {
          statement.executeUpdate("DELETE FROM " + table);
        }
        if (!connection.getAutoCommit()) connection.commit();
      } catch (SQLException e) {
        throw new IOException(e);
      }
    }
  }

  /** Says which authorization server people log in at, as a proxy in front of HAPI would. */
  private static class Smart extends HttpServlet {
    private final transient Path file;

    Smart(Path file) {
      this.file = file;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
      if (Files.exists(file)) {
        response.setContentType("application/json");
        response.getOutputStream().write(Files.readAllBytes(file));
      } else {
        response.sendError(HttpServletResponse.SC_NOT_FOUND);
      }
    }
  }

  @Configuration
  @Import({
    JpaR4Config.class,
    HapiJpaConfig.class,
    JpaBatch2Config.class,
    Batch2JobsConfig.class,
    ThreadPoolFactoryConfig.class,
    SubscriptionSubmitterConfig.class,
    SubscriptionChannelConfig.class
  })
  static class Parts {
    @Bean
    JpaStorageSettings storageSettings() {
      var settings = new JpaStorageSettings();
      settings.setResourceClientIdStrategy(JpaStorageSettings.ClientIdStrategyEnum.ANY);
      settings.setExpireSearchResultsAfterMillis(KEPT_MILLISECONDS);
      settings.setReuseCachedSearchResultsForMillis(KEPT_MILLISECONDS);
      return settings;
    }

    @Bean
    PartitionSettings partitionSettings() {
      return new PartitionSettings();
    }

    @Bean
    SubscriptionSettings subscriptionSettings() {
      return new SubscriptionSettings();
    }

    @Bean
    IBinaryStorageSvc binaryStorage() {
      return new NullBinaryStorageSvcImpl();
    }

    @Bean(destroyMethod = "close")
    @Primary
    DataSource dataSource() {
      var pool = new HikariDataSource();
      pool.setJdbcUrl("jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1");
      pool.setUsername("sa");
      pool.setPassword("");
      return pool;
    }

    @Bean
    @Primary
    HibernatePropertiesProvider hibernateProperties() {
      return new HibernatePropertiesProvider() {
        @Override
        public org.hibernate.dialect.Dialect getDialect() {
          return new HapiFhirH2Dialect();
        }
      };
    }

    @Bean
    @Primary
    LocalContainerEntityManagerFactoryBean entityManagerFactory(
        DataSource pool, ConfigurableListableBeanFactory beans, FhirContext fhir, JpaStorageSettings settings) {
      var factory = HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, fhir, settings);
      factory.setPersistenceUnitName("fhir");
      factory.setDataSource(pool);
      var properties = new Properties();
      properties.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
      properties.put("hibernate.hbm2ddl.auto", "update");
      properties.put("hibernate.search.enabled", "false");
      factory.setJpaProperties(properties);
      return factory;
    }

    @Bean
    @Primary
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
      return new JpaTransactionManager(factory);
    }
  }
}
